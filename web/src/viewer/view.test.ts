import { describe, expect, it } from "vitest";
import { contains, fitView, isHome, isVisible, rectToScreen, toScreen, toSlide, type View } from "./view";

const VIEW: View = { centre: { x: 1000, y: 500 }, scale: 4, stage: { width: 400, height: 200 } };

describe("places", () => {
  it("puts the centre into the middle of the stage", () => {
    expect(toScreen(VIEW, VIEW.centre)).toEqual({ x: 200, y: 100 });
  });

  it("goes to the slide and back", () => {
    expect(toSlide(VIEW, toScreen(VIEW, { x: 123, y: 456 }))).toEqual({ x: 123, y: 456 });
  });

  it("places a frame by its corner and size", () => {
    expect(rectToScreen(VIEW, { x: 960, y: 500, width: 80, height: 40 })).toEqual({
      x: 190,
      y: 100,
      width: 20,
      height: 10,
    });
  });
});

describe("fitView", () => {
  it.each([
    { x: 10, y: 20, width: 800, height: 100 },
    { x: 10, y: 20, width: 100, height: 800 },
  ])("shows the whole of %o in the middle", (rect) => {
    const shown = rectToScreen(fitView(VIEW.stage, rect, 0.5), rect);
    expect(Math.max(shown.width / 400, shown.height / 200)).toBeCloseTo(0.5);
    expect([shown.x + shown.width / 2, shown.y + shown.height / 2]).toEqual([200, 100]);
  });
});

describe("rectangles", () => {
  it("hold their top-left but not their bottom-right corner", () => {
    const rect = { x: 1, y: 1, width: 2, height: 2 };
    expect(contains(rect, { x: 1, y: 1 })).toBe(true);
    expect(contains(rect, { x: 3, y: 3 })).toBe(false);
  });

  it("are not visible beyond the stage's edges", () => {
    expect(isVisible(VIEW.stage, { x: -20, y: 0, width: 21, height: 5 })).toBe(true);
    expect(isVisible(VIEW.stage, { x: -20, y: 0, width: 20, height: 5 })).toBe(false);
    expect(isVisible(VIEW.stage, { x: 400, y: 0, width: 20, height: 5 })).toBe(false);
  });
});

describe("isHome", () => {
  const slide = { width: 3000, height: 2000 };
  const home = fitView(VIEW.stage, { x: 0, y: 0, ...slide }, 1);

  it("is the whole slide in the middle, as large as it can be", () => {
    expect(isHome(home, slide)).toBe(true);
    expect(isHome({ ...home, scale: home.scale * 1.1 }, slide)).toBe(false);
    expect(isHome({ ...home, centre: { x: 1500, y: 1100 } }, slide)).toBe(false);
  });
});
