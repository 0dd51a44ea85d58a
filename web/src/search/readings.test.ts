import { describe, expect, it } from "vitest";
import type { FieldFilter, Part, Reading } from "../api/types";
import { changePart, countWords, withFilter, withoutFilter } from "./readings";

const LUNG: FieldFilter = { source: "metadata", field: "organ", values: ["lung"] };

function reading(kind: Reading["kind"], text: string, filter: FieldFilter | null = null): Reading {
  return { kind, text, filter, slides: null, where: null, slide_id: null };
}

function part(text: string, piece: string, taken: Reading): Part {
  const start = [...text.slice(0, text.indexOf(piece))].length;
  return { start, end: start + [...piece].length, reading: taken, others: [] };
}

describe("changePart", () => {
  it("makes words a filter, and a filter words in quotes", () => {
    const text = "lung with necrosis";
    const asFilter = changePart(text, part(text, "lung", reading("words", "lung")), reading("value", "lung", LUNG));
    expect(asFilter).toEqual({ text: "with necrosis", add: LUNG, remove: null });
    const typed = "organ:lung necrosis";
    const asWords = changePart(typed, part(typed, "organ:lung", reading("value", "lung", LUNG)), reading("words", "x"));
    expect(asWords).toEqual({ text: '"x" necrosis', add: null, remove: LUNG });
  });

  it("says what is not wanted at the end, and takes parts out", () => {
    const text = "necrosis carcinoma";
    const words = part(text, "necrosis", reading("words", "necrosis"));
    expect(changePart(text, words, reading("without", "necrosis")).text).toBe("carcinoma without necrosis");
    expect(changePart(text, words, null).text).toBe("carcinoma");
  });

  it("counts characters as the server does", () => {
    const text = "\u{1f52c} lung";
    expect(changePart(text, part(text, "lung", reading("words", "lung")), null).text).toBe("\u{1f52c}");
  });
});

describe("filters", () => {
  it("have one of a field", () => {
    const kidney = { ...LUNG, values: ["kidney"] };
    expect(withFilter([LUNG], kidney)).toEqual([kidney]);
    expect(withoutFilter([LUNG, kidney], { ...LUNG })).toEqual([kidney]);
  });
});

it("counts words", () => {
  expect(countWords(" one\ntwo  three ")).toBe(3);
});
