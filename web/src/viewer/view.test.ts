import { describe, expect, it } from "vitest";
import {
  boundsOnScreen,
  contains,
  fitView,
  isHome,
  isVisible,
  placeBox,
  seenPart,
  showsSlide,
  stepOnSlide,
  type Turn,
  toScreen,
  toSlide,
  UPRIGHT,
  type View,
} from "./view";

const TURNS: readonly Turn[] = [0, 90, 180, 270, 33, 291.5].flatMap((degrees) => [
  { degrees, flipped: false },
  { degrees, flipped: true },
]);
const VIEW: View = { centre: { x: 1000, y: 500 }, scale: 4, turn: UPRIGHT, stage: { width: 400, height: 200 } };

describe("places", () => {
  it("puts the centre into the middle of the stage", () => {
    expect(toScreen(VIEW, VIEW.centre)).toEqual({ x: 200, y: 100 });
  });

  it("goes to the slide and back", () => {
    expect(toSlide(VIEW, toScreen(VIEW, { x: 123, y: 456 }))).toEqual({ x: 123, y: 456 });
  });

  it("places a frame by its corner and size", () => {
    const frame = { x: 960, y: 500, width: 80, height: 40 };
    expect(boundsOnScreen(VIEW, frame)).toEqual({ x: 190, y: 100, width: 20, height: 10 });
    expect(placeBox(VIEW, frame)).toEqual({
      transform: "translate(190.0px, 100.0px)",
      width: "20.0px",
      height: "10.0px",
    });
  });
});

describe("turned slides", () => {
  it.each(TURNS)("go to the slide and back at %o", (turn) => {
    const view = { ...VIEW, turn };
    const there = toSlide(view, toScreen(view, { x: 123, y: 456 }));
    expect([there.x, there.y]).toEqual([expect.closeTo(123), expect.closeTo(456)]);
    expect(toScreen(view, view.centre)).toEqual({ x: 200, y: 100 });
  });

  it("turn clockwise, then exchange left and right", () => {
    const right = { x: 1040, y: 500 };
    expect(toScreen({ ...VIEW, turn: { degrees: 90, flipped: false } }, right)).toEqual({ x: 200, y: 110 });
    expect(toScreen({ ...VIEW, turn: { degrees: 180, flipped: true } }, right)).toEqual({ x: 210, y: 100 });
    expect(toScreen({ ...VIEW, turn: { degrees: 0, flipped: true } }, right)).toEqual({ x: 190, y: 100 });
  });

  it.each(TURNS)("take a step across the screen as one across the slide at %o", (turn) => {
    const view = { ...VIEW, turn };
    const step = stepOnSlide(view, { x: 30, y: -20 });
    const there = toScreen(view, { x: view.centre.x + step.x, y: view.centre.y + step.y });
    expect([there.x, there.y]).toEqual([expect.closeTo(230), expect.closeTo(80)]);
  });

  it("show the part whose corners the stage has", () => {
    expect(seenPart({ ...VIEW, turn: { degrees: 90, flipped: true } })).toEqual({
      x: 600,
      y: -300,
      width: 800,
      height: 1600,
    });
  });
});

describe("fitView", () => {
  it.each([
    { x: 10, y: 20, width: 800, height: 100 },
    { x: 10, y: 20, width: 100, height: 800 },
  ])("shows the whole of %o in the middle", (rect) => {
    for (const turn of TURNS) {
      const shown = boundsOnScreen(fitView(VIEW.stage, rect, 0.5, turn), rect);
      expect(Math.max(shown.width / 400, shown.height / 200)).toBeCloseTo(0.5);
      expect(shown.x + shown.width / 2).toBeCloseTo(200);
      expect(shown.y + shown.height / 2).toBeCloseTo(100);
    }
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

describe("showsSlide", () => {
  const slide = { width: 3000, height: 2000 };
  const shows = (x: number, y: number, scale: number): boolean =>
    showsSlide({ ...VIEW, centre: { x, y }, scale }, slide);

  it("is true as far as an edge of the slide is in sight", () => {
    expect(shows(1500, 1000, 2)).toBe(true);
    expect(shows(3390, 1000, 2)).toBe(true);
    expect(shows(3410, 1000, 2)).toBe(false);
  });

  it("is false for what is too small to be seen, and within a px", () => {
    expect(shows(1500, 1000, 1e9)).toBe(false);
    expect(shows(1500, 1000, 1e-9)).toBe(false);
    expect(shows(1e308, 1e308, 1e300)).toBe(false);
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
