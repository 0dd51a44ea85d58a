import { describe, expect, it } from "vitest";
import { contoursOf, type WeightMap } from "./contours";
import type { Point } from "./view";

/** Tiles on a grid, a row of weights each; edge: of a tile, step: from one to the next. */
function grid(rows: readonly (readonly number[])[], edge = 10, step = edge): WeightMap {
  const tiles = rows.flatMap((row, y) => row.map((weight, x) => ({ x: 100 + x * step, y: 200 + y * step, weight })));
  return {
    x: tiles.map(({ x }) => x),
    y: tiles.map(({ y }) => y),
    edge_level0: edge,
    weights: tiles.map(({ weight }) => weight),
  };
}

/** Twice the signed area of a loop; positive where it runs clockwise as y goes down. */
function area(loop: readonly Point[]): number {
  return loop.reduce((sum, { x, y }, place) => {
    const next = loop[(place + 1) % loop.length] ?? { x, y };
    return sum + x * next.y - next.x * y;
  }, 0);
}

describe("contoursOf", () => {
  it("draws nothing on an even map, nor on an empty one", () => {
    expect(contoursOf(grid([[1, 1, 1, 1.2]]))).toEqual([]);
    expect(contoursOf(grid([[0, 0]]))).toEqual([]);
    expect(contoursOf(grid([]))).toEqual([]);
    expect(contoursOf({ ...grid([[1, 9, 0, 0]]), edge_level0: 0 })).toEqual([]);
  });

  it("runs around one heavy tile", () => {
    const [contour, ...others] = contoursOf(grid([[0, 1, 0]]));
    expect(others).toEqual([]);
    expect(contour).toMatchObject({ level: 2, sign: 1 });
    const [loop = []] = contour?.loops ?? [];
    expect(new Set(loop.map(({ x, y }) => `${x},${y}`))).toEqual(new Set(["110,200", "120,200", "120,210", "110,210"]));
  });

  it("joins neighbours, and keeps apart tiles that touch at a corner only", () => {
    const zeros = [0, 0, 0, 0, 0, 0];
    const joined = contoursOf(grid([[1, 1, 0, 0, 0, 0], zeros]));
    expect(joined[0]?.loops).toHaveLength(1);
    expect(joined[0]?.loops[0]).toHaveLength(4);
    expect(
      contoursOf(
        grid([
          [1, 0, 0, 0, 0, 0],
          [0, 1, 0, 0, 0, 0],
        ]),
      )[0]?.loops,
    ).toHaveLength(2);
  });

  it("runs the other way around a hole", () => {
    const rim = [0, 0, 0, 1, 1, 1, 0, 0];
    const [contour] = contoursOf(grid([rim, [0, 0, 0, 1, 0, 1, 0, 0], rim]));
    expect(contour?.loops.map(area).sort((a, b) => a - b)).toEqual([-200, 1800]);
  });

  it("tells what sets slides apart from what they share", () => {
    const contours = contoursOf(grid([[0, 5, 0, 0, 0, 0, -5, 0]]));
    expect(contours.map(({ level, sign }) => [level, sign])).toEqual([
      [2, 1],
      [2, -1],
      [4, 1],
      [4, -1],
    ]);
  });

  it("encloses exactly the tiles of a level, overlapping ones once", () => {
    for (let seed = 1; seed < 60; seed++) {
      const rows = Array.from({ length: 5 }, (_, y) =>
        Array.from({ length: 7 }, (_, x) => ((seed * 7919 + y * 104_729 + x * 1_299_709 + x * y * 31) % 97) ** 4),
      );
      const step = seed % 2 ? 10 : 5;
      const map = grid(rows, 10, step);
      const mean = rows.flat().reduce((a, b) => a + b) / 35;
      for (const { level, loops } of contoursOf(map)) {
        const covered = new Set<string>();
        for (const [tile, weight] of map.weights.entries()) {
          if (weight < level * mean) continue;
          for (const dy of [0, 5]) {
            for (const dx of [0, 5]) covered.add(`${(map.x[tile] ?? 0) + dx},${(map.y[tile] ?? 0) + dy}`);
          }
        }
        expect(loops.map(area).reduce((a, b) => a + b) / 2).toBeCloseTo(covered.size * 25, 6);
      }
    }
  });
});
