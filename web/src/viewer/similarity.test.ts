import { describe, expect, it } from "vitest";
import { alignPairs, invert, mapPlace, mapPoint, type Place, similarityOf } from "./similarity";
import { type Point, toScreen } from "./view";

/** Numbers from 0 to 1, the same in each run. */
function* randoms(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    yield state / 2 ** 32;
  }
}

const CASES = Array.from({ length: 200 }, (_, seed) => {
  const random = randoms(seed + 1);
  const between = (low: number, high: number) => low + (high - low) * random.next().value;
  const point = (): Point => ({ x: between(-20_000, 20_000), y: between(-20_000, 20_000) });
  const place = (): Place => ({
    centreUm: point(),
    umPerPx: 10 ** between(-1, 2),
    turn: { degrees: between(0, 360), flipped: random.next().value < 0.5 },
  });
  return { point, place, flag: () => random.next().value < 0.5 };
});

const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);
const seen = ({ centreUm, umPerPx, turn }: Place, point: Point): Point =>
  toScreen({ centre: centreUm, scale: umPerPx, turn, stage: { width: 0, height: 0 } }, point);

describe("similarities", () => {
  it("lay on each other what two viewers show at the same place of the screen", () => {
    for (const { place, point } of CASES) {
      const [one, other, tissue] = [place(), place(), point()];
      const map = similarityOf(one, other);
      const far = distance(seen(one, tissue), { x: 0, y: 0 });
      expect(distance(seen(one, tissue), seen(other, mapPoint(map, tissue)))).toBeLessThan(1e-9 * (1 + far) + 1e-6);
    }
  });

  it("lead a viewer to where its partner is seen the same", () => {
    for (const { place, point } of CASES) {
      const map = similarityOf(place(), place());
      const [now, tissue] = [place(), point()];
      const far = distance(seen(now, tissue), { x: 0, y: 0 });
      const there = seen(mapPlace(map, now), mapPoint(map, tissue));
      expect(distance(seen(now, tissue), there)).toBeLessThan(1e-9 * (1 + far) + 1e-6);
    }
  });

  it("are undone by their inverse", () => {
    for (const { place, point } of CASES) {
      const map = similarityOf(place(), place());
      const before = point();
      expect(distance(mapPoint(invert(map), mapPoint(map, before)), before)).toBeLessThan(1e-5);
    }
  });
});

describe("alignPairs", () => {
  it("makes both pairs coincide, mirrored only if asked", () => {
    for (const { point, flag } of CASES) {
      const mirrored = flag();
      const [from, to] = [[point(), point()] as const, [point(), point()] as const];
      const map = alignPairs(from, to, { mirrored, sameSize: false });
      if (!map) throw new Error("two far points");
      expect(map.turn.flipped).toBe(mirrored);
      for (const end of [0, 1] as const) expect(distance(mapPoint(map, from[end]), to[end])).toBeLessThan(1e-5);
    }
  });

  it("keeps a um a um and lays middles and directions on each other", () => {
    for (const { point, flag } of CASES) {
      const [from, to] = [[point(), point()] as const, [point(), point()] as const];
      const map = alignPairs(from, to, { mirrored: flag() });
      if (!map) throw new Error("two far points");
      const [a, b] = [mapPoint(map, from[0]), mapPoint(map, from[1])];
      expect(distance(a, b)).toBeCloseTo(distance(...from), 5);
      expect(distance(a, to[0])).toBeCloseTo(distance(b, to[1]), 5);
      // As far from the ends as the lengths differ, on each side half of it.
      expect(distance(a, to[0])).toBeCloseTo(Math.abs(distance(...from) - distance(...to)) / 2, 5);
    }
  });

  it("finds the map that made the second pair of the first", () => {
    for (const { place, point } of CASES) {
      const map = similarityOf(place(), place());
      const [a, b, third] = [point(), point(), point()];
      const found = alignPairs([a, b], [mapPoint(map, a), mapPoint(map, b)], {
        mirrored: map.turn.flipped,
        sameSize: false,
      });
      if (!found) throw new Error("two far points");
      expect(distance(mapPoint(found, third), mapPoint(map, third))).toBeLessThan(1e-3 * map.scale);
    }
  });

  it("needs two points on either side", () => {
    const [a, b] = [
      { x: 1, y: 2 },
      { x: 4, y: 6 },
    ];
    expect(alignPairs([a, a], [a, b])).toBeNull();
    expect(alignPairs([a, b], [b, b])).toBeNull();
  });
});
