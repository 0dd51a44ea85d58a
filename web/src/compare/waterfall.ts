/** How a score comes about: its parts one after the other, from 0 to the score. */

import type { Explanation, Match, PairContribution } from "../api/types";

export type Part =
  | { readonly kind: "base" | "global" | "context" | "neighbours" }
  /** match: which of the largest matches this pair is, from 0; null: none of them. */
  | { readonly kind: "pair"; readonly pair: PairContribution; readonly match: number | null }
  | { readonly kind: "rest"; readonly count: number };

/** A part, what it gives the score, and the sums before and after it. */
export interface Step {
  readonly part: Part;
  readonly share: number;
  readonly from: number;
  readonly to: number;
}

/** The parts that weigh most, at most `most` pairs of them, and all other pairs as one; the last step ends at the score. */
export function waterfall(explanation: Explanation, matches: readonly Match[], most: number): readonly Step[] {
  const byWeight = [...explanation.pairs].sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
  const largest = byWeight.slice(0, most).sort((a, b) => b.share - a.share);
  const rest = byWeight.slice(most);
  const others = explanation.other_pairs;
  const parts: [Part, number][] = [
    [{ kind: "base" }, explanation.base],
    [{ kind: "global" }, explanation.global],
    [{ kind: "context" }, explanation.context],
    [{ kind: "neighbours" }, explanation.neighbours],
    ...largest.map((pair): [Part, number] => [{ kind: "pair", pair, match: matchOf(pair, matches) }, pair.share]),
    [{ kind: "rest", count: rest.length + others.count }, rest.reduce((sum, pair) => sum + pair.share, others.share)],
  ];
  let sum = 0;
  return parts.flatMap(([part, share]) => {
    if (part.kind !== "global" && part.kind !== "pair" && part.kind !== "rest" && share === 0) return [];
    if (part.kind === "rest" && part.count === 0) return [];
    const from = sum;
    sum += share;
    return [{ part, share, from, to: sum }];
  });
}

/** The lowest and highest sum of steps, with 0 in between. */
export function span(steps: readonly Step[]): { readonly low: number; readonly high: number } {
  const ends = steps.map((step) => step.to);
  return { low: Math.min(0, ...ends), high: Math.max(0, ...ends) };
}

function matchOf(pair: PairContribution, matches: readonly Match[]): number | null {
  const place = matches.findIndex(
    (match) => match.query_mosaic === pair.query_mosaic && match.result_mosaic === pair.result_mosaic,
  );
  return place < 0 ? null : place;
}
