import { describe, expect, it } from "vitest";
import { excerptOf, segmentsOf, thinOut } from "./highlight";

const sentence = (start: number, end: number, score = 0.5) => ({ start, end, score, kind: "meaning" as const });
const word = (start: number, end: number) => ({ start, end, score: 1, kind: "words" as const });

describe("segmentsOf", () => {
  it("joins to the text it came from", () => {
    const text = "Invasive carcinoma. No necrosis.";
    const segments = segmentsOf(text, [sentence(0, 19), word(9, 18), word(23, 31)]);
    expect(segments.map((segment) => segment.text).join("")).toBe(text);
    expect(segments.map((segment) => [segment.text, segment.meaning, segment.words])).toEqual([
      ["Invasive ", true, false],
      ["carcinoma", true, true],
      [".", true, false],
      [" No ", false, false],
      ["necrosis", false, true],
      [".", false, false],
    ]);
  });

  it("counts characters as the server does, also beyond the basic plane", () => {
    const text = "\u{1D6FC}\u{1D6FC} tumour";
    const segments = segmentsOf(text, [word(3, 9)]);
    expect(segments.find((segment) => segment.words)?.text).toBe("tumour");
  });

  it("survives offsets outside of the text", () => {
    expect(segmentsOf("abc", [word(1, 99)]).map((segment) => segment.text)).toEqual(["a", "bc"]);
  });

  it("gives nothing for no text", () => {
    expect(segmentsOf("", [])).toEqual([]);
  });
});

describe("thinOut", () => {
  const text = "aaa bbb ccc ddd eee";
  const each = [0, 4, 8, 12, 16].map((start) => word(start, start + 3));

  it("keeps few marked words, however long", () => {
    const segments = segmentsOf(text, [word(0, 19)]);
    expect(thinOut(segments)).toEqual(segments);
  });

  it("keeps marked words that are a small part", () => {
    const segments = segmentsOf(`${text}${" other".repeat(20)}`, each);
    expect(thinOut(segments)).toEqual(segments);
  });

  it("marks sentences only where most words are marked", () => {
    const crowded = thinOut(segmentsOf(text, [...each, sentence(0, 19)]));
    expect(crowded.some(({ words }) => words)).toBe(false);
    expect(crowded.every(({ meaning }) => meaning)).toBe(true);
  });
});

describe("excerptOf", () => {
  const filler = "benign tissue ".repeat(40);
  const text = `${filler}Here is high grade dysplasia. ${filler}`;
  const start = text.indexOf("Here");
  const end = start + "Here is high grade dysplasia.".length;

  it("shows short texts whole", () => {
    expect(excerptOf("short", [], 100)).toEqual({
      segments: [{ text: "short", meaning: false, words: false }],
      before: false,
      after: false,
    });
  });

  it("starts at the sentence nearest to the query", () => {
    const excerpt = excerptOf(text, [sentence(0, 10, 0.2), sentence(start, end, 0.9)], 120);
    expect(excerpt.segments[0]?.text).toBe("Here is high grade dysplasia.");
    expect([excerpt.before, excerpt.after]).toEqual([true, true]);
  });

  it("puts a word of the query amid its surroundings", () => {
    const at = text.indexOf("dysplasia");
    const excerpt = excerptOf(text, [word(at, at + 9)], 120);
    const shown = excerpt.segments.map((segment) => segment.text).join("");
    expect(shown).toContain("dysplasia");
    expect(shown.length).toBeLessThanOrEqual(120);
    expect(shown.indexOf("dysplasia")).toBeGreaterThan(20);
  });

  it("begins at the beginning where nothing is marked", () => {
    const excerpt = excerptOf(text, [], 60);
    expect(excerpt.before).toBe(false);
    expect(text.startsWith(excerpt.segments[0]?.text ?? "?")).toBe(true);
  });
});
