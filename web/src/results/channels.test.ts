import { describe, expect, it } from "vitest";
import { channelsText } from "./channels";

const way = (name: string, rank: number, weight = 0.5) => ({ name, rank, score: 0.5, weight });

describe("channelsText", () => {
  it("says the ways with their ranks, the best first", () => {
    expect(channelsText({ ways: [way("report words", 4), way("similar slides", 1)], query_slide: 0 })).toBe(
      "Found by similar slides (1st), words of the report (4th)",
    );
  });

  it("says what counted against it", () => {
    expect(channelsText({ ways: [way("report words", 2), way("report vectors", 3, -0.5)], query_slide: 0 })).toBe(
      "Found by words of the report (2nd), lowered by meaning of the report, for what to exclude",
    );
  });

  it("says which slide of the query it is near", () => {
    expect(channelsText({ ways: [way("similar slides", 11)], query_slide: 1 })).toBe(
      "Found by similar slides (11th), nearest to slide 2 of the query",
    );
  });

  it("has words for whatever measured a region", () => {
    for (const name of ["anchors", "tile words", "aligned tiles"]) {
      expect(channelsText({ ways: [way(name, 1)], query_slide: 0 })).toMatch(/^Found by \w+ .* \(1st\)$/);
      expect(channelsText({ ways: [way(name, 1)], query_slide: 0 })).not.toContain(`${name} (`);
    }
  });

  it("gives names that it does not know as they are", () => {
    expect(channelsText({ ways: [way("new way", 22)], query_slide: 0 })).toBe("Found by new way (22nd)");
  });

  it("says nothing where there is nothing to say", () => {
    expect(channelsText({ ways: [], query_slide: 0 })).toBe("");
  });
});
