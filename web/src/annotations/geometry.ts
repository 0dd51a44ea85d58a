/** Shapes as they are drawn and as GeoJSON has them; positions in level-0 px. */
import type { AnnotationFeature } from "../api/types";
import { areaText, lengthText } from "../viewer/lengths";
import type { Point, Rect, Size } from "../viewer/view";
import { boundsOf } from "../viewer/view";

export type Geometry = AnnotationFeature["geometry"];
type Position = readonly [number, number];

/** How many lists lie around a position. */
const DEPTHS = { Point: 0, MultiPoint: 1, LineString: 1, MultiLineString: 2, Polygon: 2, MultiPolygon: 3 } as const;

/** Every line of a shape; of points each by itself. */
export function pathsOf({ type, coordinates }: Geometry): readonly (readonly Point[])[] {
  const depth = DEPTHS[type];
  const flat = depth > 1 ? (coordinates.flat(depth - 2) as Position[][]) : [];
  if (depth > 1) return flat.map((path) => path.map(asPoint));
  if (type === "LineString") return [(coordinates as Position[]).map(asPoint)];
  const places = (type === "Point" ? [coordinates] : coordinates) as Position[];
  return places.map((place) => [asPoint(place)]);
}

/** The corners of a shape that can be moved one by one; null for shapes of several parts. */
export function cornersOf(geometry: Geometry): readonly Point[] | null {
  const paths = pathsOf(geometry);
  const [path] = paths;
  if (paths.length !== 1 || !path || geometry.type.startsWith("Multi")) return null;
  return geometry.type === "Polygon" ? path.slice(0, -1) : path;
}

/** The same kind of shape with other corners. */
export function withCorners(geometry: Geometry, corners: readonly Point[]): Geometry {
  const places = corners.map(asPosition);
  if (geometry.type === "Point") return { type: "Point", coordinates: [...(places[0] ?? [0, 0])] };
  if (geometry.type === "LineString") return { type: "LineString", coordinates: places };
  return { type: "Polygon", coordinates: [[...places, places[0]]] };
}

export function makeGeometry(type: "Point" | "LineString" | "Polygon", corners: readonly Point[]): Geometry {
  return withCorners({ type, coordinates: [] }, corners);
}

/** The shape moved by a step, but not off the slide. */
export function movedBy(corners: readonly Point[], step: Point, slide: Size): readonly Point[] {
  const { x, y, width, height } = boundsOf(corners);
  const right = clamp(step.x, -x, slide.width - x - width);
  const down = clamp(step.y, -y, slide.height - y - height);
  return corners.map((corner) => ({ x: corner.x + right, y: corner.y + down }));
}

export function onSlide({ x, y }: Point, slide: Size): Point {
  return { x: clamp(x, 0, slide.width), y: clamp(y, 0, slide.height) };
}

export function boundsOfGeometry(geometry: Geometry): Rect {
  return boundsOf(pathsOf(geometry).flat());
}

/** A path for SVG, in the slide's own px. */
export function svgPath(geometry: Geometry): string {
  const closed = geometry.type.endsWith("Polygon") ? "Z" : "";
  return pathsOf(geometry)
    .map((path) => `M${path.map(({ x, y }) => `${x} ${y}`).join("L")}${closed}`)
    .join("");
}

export function lengthOf(path: readonly Point[]): number {
  return path
    .slice(1)
    .reduce((sum, { x, y }, at) => sum + Math.hypot(x - (path[at]?.x ?? x), y - (path[at]?.y ?? y)), 0);
}

/** "0.42 mm²" or "120 µm" of an annotation, "" where nothing is measured. */
export function measureText(measurements: Readonly<Record<string, number>> | undefined): string {
  const area = measurements?.["Area \u00b5m^2"];
  const length = measurements?.["Length \u00b5m"];
  if (area !== undefined) return areaText(area);
  return length === undefined ? "" : lengthText(length);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), Math.max(least, most));
}

function asPoint([x, y]: Position): Point {
  return { x, y };
}

function asPosition({ x, y }: Point): [number, number] {
  return [round(x), round(y)];
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
