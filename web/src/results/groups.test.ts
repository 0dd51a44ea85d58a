import { expect, it } from "vitest";
import type { Result } from "../api/types";
import { groupByLabel } from "./groups";

const of = (rank: number, diagnosis: string | null, grade: number | null): Result =>
  ({ rank, slide: { diagnosis, extra: { grade } } }) as unknown as Result;

it("groups by a column, best group first and without a label last", () => {
  const results = [of(1, null, 2), of(2, "b", 1), of(3, "a", 2), of(4, "b", null)];
  const shown = (column: string) =>
    groupByLabel(results, column).map((one) => [one.label, one.results.map((r) => r.rank)]);
  expect(shown("diagnosis")).toEqual([
    ["b", [2, 4]],
    ["a", [3]],
    [null, [1]],
  ]);
  expect(shown("grade")).toEqual([
    ["2", [1, 3]],
    ["1", [2]],
    [null, [4]],
  ]);
});
