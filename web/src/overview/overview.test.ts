import { describe, expect, it } from "vitest";
import { groupColour, groupsOf, MOST_GROUPS } from "./groups";
import { isInside, nearestPlace, placesInPolygon, placesInRectangle } from "./hit-test";
import { MapView } from "./map-view";
import { fitWindow, panWindow, type Spot, toMap, toScreen, type Window, zoomWindow } from "./plane";

const WINDOW: Window = { centre: { x: 2, y: 3 }, unitsPerPx: 0.01, width: 400, height: 300 };

const close = (a: Spot, b: Spot) => {
  expect(a.x).toBeCloseTo(b.x, 9);
  expect(a.y).toBeCloseTo(b.y, 9);
};

describe("window", () => {
  it("has its centre in the middle, and up is up", () => {
    close(toScreen(WINDOW, { x: 2, y: 3 }), { x: 200, y: 150 });
    close(toScreen(WINDOW, { x: 2, y: 3.5 }), { x: 200, y: 100 });
  });

  it("goes to the map and back", () => {
    close(toScreen(WINDOW, toMap(WINDOW, { x: 17, y: 233 })), { x: 17, y: 233 });
  });

  it("keeps what is under the pointer when it zooms", () => {
    const fixed = { x: 33, y: 260 };
    const closer = zoomWindow(WINDOW, 2.5, fixed);
    close(toMap(closer, fixed), toMap(WINDOW, fixed));
    expect(closer.unitsPerPx).toBeCloseTo(0.004, 12);
  });

  it("moves what is seen by px", () => {
    const spot = { x: 2.2, y: 3.1 };
    const before = toScreen(WINDOW, spot);
    close(toScreen(panWindow(WINDOW, 30, -12), spot), { x: before.x + 30, y: before.y - 12 });
  });

  it("shows all places within its margin", () => {
    const spots = { x: [-5, 12, 3], y: [100, 101, 99] };
    const window = fitWindow(spots, 500, 200, 20);
    for (const place of [0, 1, 2]) {
      const { x, y } = toScreen(window, { x: spots.x[place] ?? 0, y: spots.y[place] ?? 0 });
      expect(x).toBeGreaterThanOrEqual(20 - 1e-9);
      expect(x).toBeLessThanOrEqual(480 + 1e-9);
      expect(y).toBeGreaterThanOrEqual(20 - 1e-9);
      expect(y).toBeLessThanOrEqual(180 + 1e-9);
    }
  });

  it("shows one place, and none", () => {
    close(toScreen(fitWindow({ x: [7], y: [8] }, 100, 80, 10), { x: 7, y: 8 }), { x: 50, y: 40 });
    expect(fitWindow({ x: [], y: [] }, 100, 80, 10).unitsPerPx).toBe(1);
  });
});

describe("isInside", () => {
  const hook: Spot[] = [
    { x: 0, y: 0 },
    { x: 10, y: 0 },
    { x: 10, y: 10 },
    { x: 6, y: 10 },
    { x: 6, y: 4 },
    { x: 4, y: 4 },
    { x: 4, y: 10 },
    { x: 0, y: 10 },
  ];

  it.each([
    [1, 9, true],
    [5, 2, true],
    [9, 9, true],
    [5, 8, false],
    [-1, 5, false],
    [11, 5, false],
  ])("knows the notch of a polygon: %d, %d", (x, y, inside) => {
    expect(isInside(hook, { x, y })).toBe(inside);
    expect(isInside([...hook].reverse(), { x, y })).toBe(inside);
  });

  it("agrees with the angles around a point (winding) for a convex polygon", () => {
    const circle = Array.from({ length: 40 }, (_, i) => ({
      x: Math.cos((i * Math.PI) / 20),
      y: Math.sin((i * Math.PI) / 20),
    }));
    for (let i = 0; i < 500; i += 1) {
      const point = { x: Math.sin(i * 12.9898) * 1.5, y: Math.sin(i * 78.233) * 1.5 };
      const apart = Math.hypot(point.x, point.y);
      if (apart < 0.99 || apart > 1.01) expect(isInside(circle, point)).toBe(apart < 1);
    }
  });

  it("is false for what is no polygon", () => {
    expect(isInside([], { x: 0, y: 0 })).toBe(false);
  });
});

describe("picking", () => {
  const spots = { x: [0, 1, 2, 3], y: [0, 1, 2, 3] };

  it("takes what is within a lasso or a window", () => {
    expect(
      placesInPolygon(
        [
          { x: 0.5, y: 0.5 },
          { x: 2.5, y: 0.5 },
          { x: 2.5, y: 2.5 },
          { x: 0.5, y: 2.5 },
        ],
        spots,
      ),
    ).toEqual([1, 2]);
    expect(placesInRectangle({ x: 3, y: 3 }, { x: 1.5, y: 0 }, spots)).toEqual([2, 3]);
  });

  it("takes the nearest, if it is near", () => {
    expect(nearestPlace({ x: 1.2, y: 1.1 }, spots, 0.5)).toBe(1);
    expect(nearestPlace({ x: 10, y: 0 }, spots, 0.5)).toBeNull();
  });
});

describe("groupsOf", () => {
  it("has the most frequent first and those without a label last", () => {
    const groups = groupsOf(["b", "", "a", "b", "a", "b", "c 10", "c 9"]);
    expect(groups.map((group) => [group.label, group.places])).toEqual([
      ["b", [0, 3, 5]],
      ["a", [2, 4]],
      ["c 9", [7]],
      ["c 10", [6]],
      [null, [1]],
    ]);
  });

  it("gives each label of its own another colour and shape", () => {
    const groups = groupsOf(Array.from({ length: 30 }, (_, i) => `label ${i}`));
    expect(groups).toHaveLength(MOST_GROUPS + 1);
    const looks = groups.slice(0, -1).map((group) => `${group.shape} ${group.colour}`);
    expect(new Set(looks).size).toBe(MOST_GROUPS);
    groups.slice(1, -1).forEach((group, at) => {
      expect(group.shape).not.toBe(groups[at]?.shape);
      expect(group.colour).not.toBe(groups[at]?.colour);
    });
    expect(groups.at(-1)).toMatchObject({ rest: 30 - MOST_GROUPS, colour: null });
    expect(groups.flatMap((group) => group.places)).toHaveLength(30);
  });

  it("has colours for light and dark ground", () => {
    const [group] = groupsOf(["a"]);
    expect(group && groupColour(group, true)).not.toBe(group && groupColour(group, false));
  });
});

describe("map view", () => {
  const spots = { x: [0, 10], y: [0, 10] };
  const seen = (view: MapView) => {
    const corners = view.corners();
    return corners && placesInRectangle(...corners, spots);
  };

  it("goes on showing the whole map at another size", () => {
    const view = new MapView(spots);
    view.resize(800, 600);
    view.resize(300, 90);
    expect(seen(view)).toEqual([0, 1]);
  });

  it("keeps what was zoomed to", () => {
    const view = new MapView(spots);
    view.resize(800, 600);
    view.zoom(50);
    const before = view.window.peek();
    view.resize(300, 90);
    expect(view.window.peek()).toEqual({ ...before, width: 300, height: 90 });
    view.home();
    expect(seen(view)).toEqual([0, 1]);
  });
});
