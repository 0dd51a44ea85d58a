import { describe, expect, it } from "vitest";
import { moveRegion, regionAround, regionBetween, resizeRegion } from "./regions";

const SLIDE = { width: 1000, height: 600 };

describe("regionBetween", () => {
  it("takes corners in any order and whole px", () => {
    const rect = { x: 10, y: 20, width: 90, height: 30 };
    expect(regionBetween(SLIDE, { x: 100.4, y: 49.6 }, { x: 9.8, y: 20.2 })).toEqual(rect);
  });

  it("cuts to the slide", () => {
    expect(regionBetween(SLIDE, { x: -50, y: -50 }, { x: 5000, y: 300 })).toEqual({
      x: 0,
      y: 0,
      width: 1000,
      height: 300,
    });
    expect(regionBetween(SLIDE, { x: -50, y: 0 }, { x: -1, y: 300 })).toBeNull();
  });
});

describe("moved and resized", () => {
  const rect = { x: 900, y: 10, width: 50, height: 50 };

  it("go as far as the slide", () => {
    expect(moveRegion(SLIDE, rect, { x: 80, y: -20 })).toEqual({ ...rect, x: 950, y: 0 });
    expect(resizeRegion(SLIDE, rect, { x: 80, y: -20 }, 16)).toEqual({ ...rect, width: 100, height: 30 });
  });

  it("leave at least the least size", () => {
    expect(resizeRegion(SLIDE, rect, { x: -80, y: -80 }, 16)).toEqual({ ...rect, width: 16, height: 16 });
    expect(resizeRegion(SLIDE, { ...rect, width: 7 }, { x: -80, y: 0 }, 16).width).toBe(7);
  });
});

describe("regionAround", () => {
  it("is a square within the slide", () => {
    expect(regionAround(SLIDE, { x: 500, y: 300 }, 100)).toEqual({ x: 450, y: 250, width: 100, height: 100 });
    expect(regionAround(SLIDE, { x: 0, y: 599 }, 100)).toEqual({ x: 0, y: 500, width: 100, height: 100 });
    expect(regionAround(SLIDE, { x: 5, y: 5 }, 5000)).toEqual({ x: 0, y: 0, width: 1000, height: 600 });
  });
});
