import { describe, expect, it } from "vitest";
import type { QueryEcho } from "../api/types";
import { describedFilters, describedQuery, describedQuestion } from "./described";

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

describe("a question of this tab in words", () => {
  const report: QueryEcho = { ...ECHO, kind: "report" };

  it("has the beginning of a pasted report on one line, or whose it is", () => {
    const text = `Kidney, left:\n  clear cell carcinoma. ${"x".repeat(200)}`;
    expect(describedQuestion({ kind: "report", text }, report)).toMatch(
      /^Report "Kidney, left: clear cell .{20,60} \.\.\."$/,
    );
    expect(describedQuestion({ kind: "report", slide_id: "S1" }, report)).toBe("Report of S1");
  });

  it("has the case, and else what the server says", () => {
    const slides = [SLIDE];
    expect(describedQuestion({ kind: "case", case_id: "C1" }, { ...ECHO, kind: "case", slides })).toBe("Case C1");
    expect(describedQuestion({ kind: "text", text: "tumour" }, { ...ECHO, text: "tumour" })).toBe('"tumour"');
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
