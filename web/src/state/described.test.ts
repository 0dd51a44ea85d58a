import { describe, expect, it } from "vitest";
import type { QueryEcho } from "../api/types";
import { describedFilters, describedQuery } from "./described";

const ECHO: QueryEcho = {
  kind: "text",
  to: "slides",
  slides: [],
  regions: [],
  text: null,
  without: null,
  weight: null,
  distance: null,
};
const SLIDE = { slide_id: "S1", upload_id: null, name: "S1", spacing_um_per_px: 0.5 };

describe("a question in words", () => {
  it("has what was typed", () => {
    expect(describedQuery({ ...ECHO, text: "tumour", without: "necrosis" })).toBe('"tumour" without "necrosis"');
  });

  it("has the slides", () => {
    expect(describedQuery({ ...ECHO, kind: "region", slides: [SLIDE] })).toBe("Regions of S1");
    expect(describedQuery({ ...ECHO, kind: "composed", slides: [SLIDE], text: "necrosis" })).toBe(
      'Slide S1 "necrosis"',
    );
  });

  it("has at least its kind", () => {
    expect(describedQuery({ ...ECHO, kind: "report" })).toBe("Report");
  });
});

it("filters in words", () => {
  expect(describedFilters([])).toBe("");
  const filters = [
    { source: "metadata" as const, field: "organ", values: ["kidney", null] },
    { source: "report" as const, field: "grade", values: ["3"] },
  ];
  expect(describedFilters(filters)).toBe("organ: kidney or none; grade: 3");
});
