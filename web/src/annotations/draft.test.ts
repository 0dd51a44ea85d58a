import { describe, expect, it } from "vitest";
import type { Point } from "../viewer/view";
import { finish, type Step, setPoint, type Tool } from "./draft";
import { cornersOf, movedBy, pathsOf, svgPath, withCorners } from "./geometry";

const at = (x: number, y: number): Point => ({ x, y });

function draw(tool: Tool, ...points: readonly Point[]): Step {
  return points.reduce((step: Step, point) => setPoint(tool, step.points, point, 2), { points: [], done: null });
}

describe("drawing", () => {
  it("ends points at once, and rulers and rectangles with the second", () => {
    expect(draw("point", at(1, 2)).done).toEqual({ type: "Point", coordinates: [1, 2] });
    expect(draw("ruler", at(0, 0)).done).toBeNull();
    expect(draw("ruler", at(0, 0), at(3, 4)).done?.coordinates).toEqual([
      [0, 0],
      [3, 4],
    ]);
    expect(draw("rectangle", at(0, 0), at(9, 5)).done?.coordinates).toEqual([
      [
        [0, 0],
        [9, 0],
        [9, 5],
        [0, 5],
        [0, 0],
      ],
    ]);
  });

  it("ends lines and polygons where a point is set twice, polygons also where they began", () => {
    expect(draw("line", at(0, 0), at(10, 0)).done).toBeNull();
    expect(draw("line", at(0, 0), at(10, 0), at(11, 1)).done?.type).toBe("LineString");
    expect(draw("polygon", at(0, 0), at(10, 0), at(10, 10), at(0, 1)).done?.coordinates[0]).toHaveLength(4);
    expect(draw("polygon", at(0, 0), at(10, 0), at(10, 0)).done).toBeNull();
  });

  it("makes nothing of too little", () => {
    expect(finish("pencil", [at(0, 0), at(1, 1)]).done).toBeNull();
    expect(finish("rectangle", [at(0, 0), at(0, 9)]).done).toBeNull();
    expect(finish("line", []).done).toBeNull();
  });
});

describe("shapes", () => {
  const polygon = {
    type: "Polygon" as const,
    coordinates: [
      [
        [0, 0],
        [10, 0],
        [10, 10],
        [0, 0],
      ],
    ],
  };

  it("are changed corner by corner", () => {
    const corners = cornersOf(polygon) ?? [];
    expect(corners).toHaveLength(3);
    expect(withCorners(polygon, corners)).toEqual(polygon);
    expect(
      cornersOf({
        type: "MultiPoint",
        coordinates: [
          [1, 2],
          [3, 4],
        ],
      }),
    ).toBeNull();
  });

  it("stay on the slide when they are moved", () => {
    expect(movedBy(cornersOf(polygon) ?? [], at(-5, 95), { width: 100, height: 100 })[0]).toEqual(at(0, 90));
  });

  it("are lines whatever GeoJSON nests", () => {
    expect(pathsOf({ type: "MultiPolygon", coordinates: [polygon.coordinates, polygon.coordinates] })).toHaveLength(2);
    expect(
      pathsOf({
        type: "MultiPoint",
        coordinates: [
          [1, 2],
          [3, 4],
        ],
      }),
    ).toEqual([[at(1, 2)], [at(3, 4)]]);
    expect(svgPath(polygon)).toBe("M0 0L10 0L10 10L0 0Z");
  });
});
