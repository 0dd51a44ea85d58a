/** Similar maps of one slide's tissue onto another's: turned, mirrored, scaled and moved, in um. */
import { type Point, type Turn, turned, turnedBack } from "./view";

/**
 * Maps a point p to `turned(turn, p) * scale + shift`.
 */
export interface Similarity {
  readonly turn: Turn;
  readonly scale: number;
  readonly shift: Point;
}

/** What is in a viewer's middle, in um from the slide's corner, um per screen px, and how the slide is turned. */
export interface Place {
  readonly centreUm: Point;
  readonly umPerPx: number;
  readonly turn: Turn;
}

export function mapPoint({ turn, scale, shift }: Similarity, point: Point): Point {
  const { x, y } = turned(turn, point);
  return { x: x * scale + shift.x, y: y * scale + shift.y };
}

export function invert({ turn, scale, shift }: Similarity): Similarity {
  const { x, y } = turnedBack(turn, shift);
  return { turn: inverse(turn), scale: 1 / scale, shift: { x: -x / scale, y: -y / scale } };
}

/** Of two places: what is in the middle of one viewer lies on that of the other; by default all that is seen does. */
export function similarityOf(from: Place, to: Place, scale = to.umPerPx / from.umPerPx): Similarity {
  const turn = after(inverse(to.turn), from.turn);
  return throughPoint(turn, scale, from.centreUm, to.centreUm);
}

/** Where the other viewer goes: by default so that all that is seen in both lies on each other; zoom: of um per px. */
export function mapPlace(by: Similarity, { centreUm, umPerPx, turn }: Place, zoom = by.scale): Place {
  return { centreUm: mapPoint(by, centreUm), umPerPx: umPerPx * zoom, turn: after(turn, inverse(by.turn)) };
}

/**
 * Of two pairs of points, each the same place of both slides. Both coincide; with `sameSize`, where a um stays a um,
 * their middles and directions do. mirrored: one section lies on its other side. Null for points too near each other.
 */
export function alignPairs(
  from: readonly [Point, Point],
  to: readonly [Point, Point],
  { mirrored = false, sameSize = true }: { readonly mirrored?: boolean; readonly sameSize?: boolean } = {},
): Similarity | null {
  const flip: Turn = { degrees: 0, flipped: mirrored };
  const [before, goal] = [turned(flip, between(...from)), between(...to)];
  const [length, goalLength] = [Math.hypot(before.x, before.y), Math.hypot(goal.x, goal.y)];
  if (!(length > 0) || !(goalLength > 0)) return null;
  const clockwise = angleOf(goal) - angleOf(before);
  // First mirrored, then turned: a turn is written the other way about.
  const turn = { degrees: normalDegrees(mirrored ? -clockwise : clockwise), flipped: mirrored };
  return throughPoint(turn, sameSize ? 1 : goalLength / length, middleOf(...from), middleOf(...to));
}

/** 0 to less than 360. */
export function normalDegrees(degrees: number): number {
  const within = degrees % 360;
  return within < 0 ? within + 360 : within + 0;
}

function throughPoint(turn: Turn, scale: number, from: Point, to: Point): Similarity {
  const { x, y } = turned(turn, from);
  return { turn, scale, shift: { x: to.x - x * scale, y: to.y - y * scale } };
}

/** The turn that does `first`, then `second`. */
function after(second: Turn, first: Turn): Turn {
  const degrees = first.degrees + (first.flipped ? -second.degrees : second.degrees);
  return { degrees: normalDegrees(degrees), flipped: first.flipped !== second.flipped };
}

function inverse({ degrees, flipped }: Turn): Turn {
  return { degrees: normalDegrees(flipped ? degrees : -degrees), flipped };
}

function between(a: Point, b: Point): Point {
  return { x: b.x - a.x, y: b.y - a.y };
}

function middleOf(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** Clockwise from the right, as y goes down. */
function angleOf({ x, y }: Point): number {
  return (Math.atan2(y, x) * 180) / Math.PI;
}
