import { describe, expect, it } from "vitest";
import type { QueryEcho } from "../api/types";
import { describeFilters, describeQuery, describeQuestion } from "./query-descriptions";

const ECHO: QueryEcho = {
  kind: "text",
  to: "slides",
  slides: [],
  regions: [],
  text: null,
  without: null,
  weight: null,
  distance: null,
  searched_for: null,
};
const SLIDE = { slide_id: "S1", upload_id: null, name: "S1", spacing_um_per_px: 0.5 };

describe("a question in words", () => {
  it("has what was typed", () => {
    expect(describeQuery({ ...ECHO, text: "tumour", without: "necrosis" })).toBe('"tumour" without "necrosis"');
  });

  it("has the slides", () => {
    expect(describeQuery({ ...ECHO, kind: "region", slides: [SLIDE] })).toBe("Regions of S1");
    expect(describeQuery({ ...ECHO, kind: "composed", slides: [SLIDE], text: "necrosis" })).toBe('Slide S1 "necrosis"');
  });

  it("has at least its kind", () => {
    expect(describeQuery({ ...ECHO, kind: "report" })).toBe("Report");
  });
});

describe("a question of this tab in words", () => {
  const report: QueryEcho = { ...ECHO, kind: "report" };

  it("has the beginning of a pasted report on one line, or whose it is", () => {
    const text = `Kidney, left:\n  clear cell carcinoma. ${"x".repeat(200)}`;
    expect(describeQuestion({ kind: "report", text }, report)).toMatch(
      /^Report "Kidney, left: clear cell .{20,60} \.\.\."$/,
    );
    expect(describeQuestion({ kind: "report", slide_id: "S1" }, report)).toBe("Report of S1");
  });

  it("has the case, and else what the server says", () => {
    const slides = [SLIDE];
    expect(describeQuestion({ kind: "case", case_id: "C1" }, { ...ECHO, kind: "case", slides })).toBe("Case C1");
    expect(describeQuestion({ kind: "text", text: "tumour" }, { ...ECHO, text: "tumour" })).toBe('"tumour"');
  });
});

it("filters in words", () => {
  expect(describeFilters([])).toBe("");
  const age = { source: "metadata" as const, field: "age", values: [null], minimum: 50, maximum: 59 };
  expect(describeFilters([age])).toBe("age: 50 to 59 or none");
  const filters = [
    { source: "metadata" as const, field: "organ", values: ["kidney", null] },
    { source: "report" as const, field: "grade", values: ["3"] },
  ];
  expect(describeFilters(filters)).toBe("organ: kidney or none; grade: 3");
});
