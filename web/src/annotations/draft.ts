/** What is being drawn: points that were set, and when that is a shape. */

import type { Point } from "../viewer/view";
import { type Geometry, lengthOf, makeGeometry } from "./geometry";

export const TOOLS = ["point", "line", "rectangle", "polygon", "pencil"] as const;
export type DrawTool = (typeof TOOLS)[number];
export type Tool = DrawTool | "ruler";

/** What is drawn where nothing was drawn yet. */
export const FIRST_TOOL: Tool = "rectangle";

/** Tools that draw while the pointer is down. */
export const DRAGGED: readonly Tool[] = ["rectangle", "pencil"];

export interface Step {
  readonly points: readonly Point[];
  /** What was drawn, once it is. */
  readonly done: Geometry | null;
}

/** One more point; near: what counts as the same place, in level-0 px. */
export function setPoint(tool: Tool, points: readonly Point[], point: Point, near: number): Step {
  const all = [...points, point];
  const last = points.at(-1);
  const first = points[0];
  if (tool === "point") return finished(makeGeometry("Point", [point]));
  if (tool === "ruler") return points.length === 1 ? finish("ruler", all) : { points: [point], done: null };
  if (tool === "rectangle") return points.length ? finish("rectangle", all) : { points: all, done: null };
  if (last && isNear(last, point, near)) return finish(tool, points);
  if (tool !== "line" && first && points.length > 2 && isNear(first, point, near)) return finish(tool, points);
  return { points: all, done: null };
}

/** The shape of what was set; none where it is too little. */
export function finish(tool: Tool, points: readonly Point[]): Step {
  const [first] = points;
  const last = points.at(-1);
  if (!first || !last || !lengthOf(points)) return { points, done: null };
  if (tool === "line" || tool === "ruler") return finished(makeGeometry("LineString", points));
  if (tool === "rectangle") {
    if (first.x === last.x || first.y === last.y) return { points, done: null };
    return finished(makeGeometry("Polygon", [first, { x: last.x, y: first.y }, last, { x: first.x, y: last.y }]));
  }
  return points.length < 3 ? { points, done: null } : finished(makeGeometry("Polygon", points));
}

function finished(done: Geometry): Step {
  return { points: [], done };
}

function isNear(one: Point, other: Point, near: number): boolean {
  return Math.hypot(one.x - other.x, one.y - other.y) <= near;
}
