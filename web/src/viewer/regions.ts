/** Rectangles that are drawn on a slide, in whole level-0 px. */

import type { Point, Rect, Size } from "./view";

/** The rectangle between two corners, cut to the slide; null when nothing of it is on the slide. */
export function regionBetween(slide: Size, a: Point, b: Point): Rect | null {
  const left = clamp(Math.min(a.x, b.x), slide.width);
  const top = clamp(Math.min(a.y, b.y), slide.height);
  const width = clamp(Math.max(a.x, b.x), slide.width) - left;
  const height = clamp(Math.max(a.y, b.y), slide.height) - top;
  return width > 0 && height > 0 ? { x: left, y: top, width, height } : null;
}

/** Moved as far as the slide goes; its size stays. */
export function moveRegion(slide: Size, rect: Rect, by: Point): Rect {
  const x = clamp(rect.x + by.x, slide.width - rect.width);
  const y = clamp(rect.y + by.y, slide.height - rect.height);
  return { ...rect, x, y };
}

/** Resized at its bottom-right corner, at least `least` px at each side and as far as the slide goes. */
export function resizeRegion(slide: Size, rect: Rect, by: Point, least: number): Rect {
  const width = Math.max(Math.min(least, rect.width), clamp(rect.width + by.x, slide.width - rect.x));
  const height = Math.max(Math.min(least, rect.height), clamp(rect.height + by.y, slide.height - rect.y));
  return { ...rect, width, height };
}

/** A square of `edge` px around a point, within the slide. */
export function regionAround(slide: Size, point: Point, edge: number): Rect {
  const width = Math.max(1, Math.round(Math.min(edge, slide.width)));
  const height = Math.max(1, Math.round(Math.min(edge, slide.height)));
  return moveRegion(slide, { x: 0, y: 0, width, height }, { x: point.x - width / 2, y: point.y - height / 2 });
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, Math.round(value)));
}
