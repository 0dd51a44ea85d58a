/** Outlines of the fields of a slide that weigh more than an even share: tissue stays seen in its own colours. */
import type { Point } from "./view";

/** Tiles' top-left corners in level-0 px, their edge, and a weight each. */
export interface WeightMap {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly edge_level0: number;
  readonly weights: readonly number[];
}

export type OverlayKind = "attention" | "contribution";

/** A line around fields of at least `level` times the mean weight; sign: -1 for what sets slides apart. */
export interface Contour {
  readonly level: Level;
  readonly sign: 1 | -1;
  /** Closed, in level-0 px; what they enclose lies on their right, so that holes run the other way. */
  readonly loops: readonly (readonly Point[])[];
}

/** How many times the mean a field weighs for the first line, the second, and the third. */
export const LEVELS = [2, 4, 8] as const;
export type Level = (typeof LEVELS)[number];

/**
 * Contours of a map, the lowest level first. The mean is of the absolute weights of all tiles. Empty where no tile
 * reaches the first level: such a map is as good as even, and a line would point at noise.
 */
export function contoursOf(map: WeightMap): readonly Contour[] {
  const { weights } = map;
  const mean = weights.reduce((sum, weight) => sum + Math.abs(weight), 0) / weights.length;
  if (!(mean > 0) || map.edge_level0 <= 0) return [];
  const grid = gridOf(map);
  return LEVELS.flatMap((level) =>
    ([1, -1] as const).flatMap((sign) => {
      const heavy = [...weights.keys()].filter((tile) => sign * (weights[tile] ?? 0) >= level * mean);
      return heavy.length ? [{ level, sign, loops: outlinesOf(grid, heavy) }] : [];
    }),
  );
}

/** Cells that tiles are made of: their edge in level-0 px, cells on a tile's edge, and each tile's first cell. */
interface Grid {
  readonly origin: Point;
  readonly step: number;
  readonly span: number;
  readonly cells: readonly Point[];
}

/** No finer than this part of a tile, so that tiles off the grid make no countless cells. */
const FINEST = 4;

function gridOf({ x, y, edge_level0: edge }: WeightMap): Grid {
  const origin = { x: Math.min(...extremes(x)), y: Math.min(...extremes(y)) };
  const gap = Math.min(edge, leastGap(x, edge / FINEST), leastGap(y, edge / FINEST));
  const span = Math.round(edge / gap);
  const step = edge / span;
  const cells = x.map((left, tile) => ({
    x: Math.round((left - origin.x) / step),
    y: Math.round(((y[tile] ?? 0) - origin.y) / step),
  }));
  return { origin, step, span, cells };
}

/** Smallest and largest; of so many that they can't be arguments of one call. */
function extremes(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}

/** Between neighbouring values, of those gaps that are at least so large. */
function leastGap(values: readonly number[], least: number): number {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const gaps = sorted.map((value, place) => value - (sorted[place - 1] ?? Number.NEGATIVE_INFINITY));
  return gaps.reduce((so, gap) => (gap >= least && gap < so ? gap : so), Number.POSITIVE_INFINITY);
}

function outlinesOf(grid: Grid, tiles: readonly number[]): readonly (readonly Point[])[] {
  const filled = new Set<string>();
  for (const tile of tiles) {
    const { x, y } = grid.cells[tile] ?? { x: 0, y: 0 };
    for (let down = 0; down < grid.span; down++) {
      for (let right = 0; right < grid.span; right++) filled.add(nameOf({ x: x + right, y: y + down }));
    }
  }
  return chained(bordersOf(filled)).map((loop) => withoutStraight(loop).map((corner) => onSlide(grid, corner)));
}

function onSlide({ origin, step }: Grid, { x, y }: Point): Point {
  return { x: origin.x + x * step, y: origin.y + y * step };
}

/** From each corner, the corners that borders of filled cells lead to, clockwise about the cells. */
function bordersOf(filled: ReadonlySet<string>): Map<string, Point[]> {
  const borders = new Map<string, Point[]>();
  const add = (from: Point, to: Point): void => {
    borders.set(nameOf(from), [...(borders.get(nameOf(from)) ?? []), to]);
  };
  for (const cell of filled) {
    const { x, y } = pointOf(cell);
    const has = (right: number, down: number) => filled.has(nameOf({ x: x + right, y: y + down }));
    if (!has(0, -1)) add({ x, y }, { x: x + 1, y });
    if (!has(1, 0)) add({ x: x + 1, y }, { x: x + 1, y: y + 1 });
    if (!has(0, 1)) add({ x: x + 1, y: y + 1 }, { x, y: y + 1 });
    if (!has(-1, 0)) add({ x, y: y + 1 }, { x, y });
  }
  return borders;
}

/** Borders as closed loops; where two cells touch at a corner only, each keeps its own. */
function chained(borders: Map<string, Point[]>): readonly (readonly Point[])[] {
  const loops: Point[][] = [];
  for (const [start, ends] of borders) {
    while (ends.length) {
      const loop = [pointOf(start)];
      let before = pointOf(start);
      let here = ends.pop();
      while (here && nameOf(here) !== start) {
        loop.push(here);
        const next = takeNext(borders.get(nameOf(here)) ?? [], before, here);
        before = here;
        here = next;
      }
      loops.push(loop);
    }
  }
  return loops;
}

/** Of two ways on, the one that turns right, which stays at the same cell. */
function takeNext(ways: Point[], before: Point, here: Point): Point | undefined {
  const right = ways.findIndex(
    (way) => (here.x - before.x) * (way.y - here.y) - (here.y - before.y) * (way.x - here.x) > 0,
  );
  return ways.splice(Math.max(0, right), 1)[0];
}

function withoutStraight(loop: readonly Point[]): readonly Point[] {
  return loop.filter((here, place) => {
    const before = loop.at(place - 1) ?? here;
    const next = loop[(place + 1) % loop.length] ?? here;
    return (before.x !== here.x || here.x !== next.x) && (before.y !== here.y || here.y !== next.y);
  });
}

function nameOf({ x, y }: Point): string {
  return `${x},${y}`;
}

function pointOf(name: string): Point {
  const [x = 0, y = 0] = name.split(",").map(Number);
  return { x, y };
}
