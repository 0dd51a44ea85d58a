/** Which places of a map are meant: by a lasso, by a window, by the pointer. */

import type { Spot, Spots } from "./plane";

/** Whether a point is within a polygon, by the crossings of a ray to its right (even-odd rule). */
export function isInside(polygon: readonly Spot[], { x, y }: Spot): boolean {
  let inside = false;
  let from = polygon[polygon.length - 1];
  for (const to of polygon) {
    if (from && from.y > y !== to.y > y && x < from.x + ((y - from.y) * (to.x - from.x)) / (to.y - from.y)) {
      inside = !inside;
    }
    from = to;
  }
  return inside;
}

/** The places within a polygon, by number. */
export function placesInPolygon(polygon: readonly Spot[], spots: Spots): number[] {
  return numbers(spots).filter((place) => isInside(polygon, spotAt(spots, place)));
}

/** The places within a rectangle that two corners span. */
export function placesInRectangle(a: Spot, b: Spot, spots: Spots): number[] {
  const [left, right] = [Math.min(a.x, b.x), Math.max(a.x, b.x)];
  const [low, high] = [Math.min(a.y, b.y), Math.max(a.y, b.y)];
  return numbers(spots).filter((place) => {
    const { x, y } = spotAt(spots, place);
    return x >= left && x <= right && y >= low && y <= high;
  });
}

/** The place nearest to a point, at most `most` away; null: there is none. */
export function nearestPlace(point: Spot, spots: Spots, most: number): number | null {
  let best: number | null = null;
  let closest = most * most;
  for (const place of spots.x.keys()) {
    const { x, y } = spotAt(spots, place);
    const apart = (x - point.x) ** 2 + (y - point.y) ** 2;
    if (apart <= closest) [best, closest] = [place, apart];
  }
  return best;
}

export function spotAt(spots: Spots, place: number): Spot {
  return { x: spots.x[place] ?? Number.NaN, y: spots.y[place] ?? Number.NaN };
}

function numbers(spots: Spots): number[] {
  return [...spots.x.keys()];
}
