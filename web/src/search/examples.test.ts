import { describe, expect, it } from "vitest";
import type { FacetField, Slide } from "../api/types";
import { examplesOf } from "./examples";

const field = (source: FacetField["source"], name: string, ...values: string[]): FacetField => ({
  source,
  field: name,
  kind: "text",
  bins: [],
  missing: 0,
  values: values.map((value) => ({ value, count: value === "neoplasm" ? 8 : 2 })),
  more: 0,
});
const facets = {
  slides: 9,
  fields: [
    field("report", "diagnosis", "neoplasm", "adenocarcinoma", "squamous-cell-carcinoma"),
    field("metadata", "diagnosis", "X1", "Adenocarcinoma"),
    field("report", "finding", "solid-pattern"),
    field("report", "grade", "3"),
  ],
};
const slides = ["S-1", "S-2", "S-3", "S-4"].map((slide_id) => ({ slide_id }) as Slide);
const inOrder = () => 0.5;

describe("examplesOf", () => {
  it("asks with what the archive holds, each in words and once", () => {
    const examples = examplesOf({ reads_text: true }, facets, slides, inOrder);
    expect(examples.map(({ query }) => query)).toEqual([
      { kind: "text", text: "Adenocarcinoma" },
      { kind: "text", text: "squamous cell carcinoma" },
      { kind: "text", text: "Adenocarcinoma", without: "solid pattern" },
      { kind: "slide", slide: { slide_id: "S-1" } },
      { kind: "slide", slide: { slide_id: "S-2" } },
      { kind: "slide", slide: { slide_id: "S-3" } },
    ]);
  });

  it("asks with no words where the archive reads none", () => {
    const examples = examplesOf({ reads_text: false }, facets, slides, inOrder);
    expect(examples.map(({ kind }) => kind)).toEqual(["like", "like", "like"]);
  });

  it("chooses slides by chance", () => {
    const numbers = [0.9, 0.1, 0.5, 0.2];
    const random = () => numbers.shift() ?? 0;
    const ids = examplesOf({ reads_text: false }, facets, slides, random).map(({ slide }) => slide?.slide_id);
    expect(ids).toEqual(["S-2", "S-4", "S-3"]);
  });

  it("has none for an empty archive", () => {
    expect(examplesOf({ reads_text: true }, { slides: 0, fields: [] }, [], inOrder)).toEqual([]);
  });
});
