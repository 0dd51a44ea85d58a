import { describe, expect, it } from "vitest";
import type { Match, PairContribution } from "../api/types";
import { span, waterfall } from "./waterfall";

const pair = (query: number | null, result: number | null, share: number): PairContribution => ({
  query_mosaic: query,
  result_mosaic: result,
  distance: 0.3,
  share,
  query_region: null,
  result_region: null,
});

const match = (query: number, result: number): Match => ({
  query_mosaic: query,
  result_mosaic: result,
  similarity: 0.9,
  query_region: null,
  result_region: null,
  contribution: 0.1,
});

const none = { count: 0, share: 0 };

describe("waterfall", () => {
  const pairs = [pair(0, 1, 0.4), pair(2, 2, 0.1), pair(3, 1, 0.02), pair(null, null, -0.01), pair(1, 0, -0.2)];

  it("adds up to base, global, context, neighbours and the shares of all pairs, each step from where the last ended", () => {
    for (const most of [0, 1, 3, 99]) {
      const other_pairs = { count: 70, share: -0.04 };
      const steps = waterfall(
        { base: 0.5, global: 0.11, context: 0.07, neighbours: 0.05, pairs, other_pairs },
        [],
        most,
      );
      expect(steps.at(-1)?.to).toBeCloseTo(0.5 + 0.11 + 0.07 + 0.05 + 0.31 - 0.04, 12);
      expect(steps.at(-1)?.part).toEqual({ kind: "rest", count: 70 + Math.max(0, pairs.length - most) });
      steps.forEach((step, place) => {
        expect(step.from).toBe(place ? steps[place - 1]?.to : 0);
        expect(step.to - step.from).toBeCloseTo(step.share, 12);
      });
    }
  });

  it("shows the pairs that weigh most, whatever their sign, the largest share first", () => {
    const steps = waterfall({ base: 0, global: 0.1, context: 0, neighbours: 0, pairs, other_pairs: none }, [], 3);
    expect(steps.map((step) => step.part.kind)).toEqual(["global", "pair", "pair", "pair", "rest"]);
    expect(steps.slice(1, 4).map((step) => step.share)).toEqual([0.4, 0.1, -0.2]);
    expect(steps[4]?.part).toEqual({ kind: "rest", count: 2 });
    expect(steps[4]?.share).toBeCloseTo(0.01, 12);
  });

  it("knows the pairs that are matches", () => {
    const steps = waterfall(
      { base: 0, global: 0, context: 0, neighbours: 0, pairs, other_pairs: none },
      [match(9, 9), match(2, 2)],
      2,
    );
    const found = steps.flatMap(({ part }) => (part.kind === "pair" ? [part.match] : []));
    expect(found).toEqual([null, null]);
    expect(
      waterfall({ base: 0, global: 0, context: 0, neighbours: 0, pairs, other_pairs: none }, [match(2, 2)], 3)[2]?.part,
    ).toMatchObject({ match: 0 });
  });

  it("spans its sums and 0", () => {
    expect(
      span(
        waterfall(
          { base: 0, global: -0.3, context: 0, neighbours: 0, pairs: [pair(0, 0, 0.1)], other_pairs: none },
          [],
          5,
        ),
      ),
    ).toEqual({
      low: -0.3,
      high: 0,
    });
    expect(span([])).toEqual({ low: 0, high: 0 });
  });
});
