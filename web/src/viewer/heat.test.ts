import { describe, expect, it } from "vitest";
import { type HeatMap, heatColour, heatRange, heatStops, heatTiles } from "./heat";

const map = (...weights: number[]): HeatMap => ({
  x: weights.map((_, i) => i * 10),
  y: weights.map(() => 5),
  edge_level0: 10,
  weights,
});

const luminance = (colour: string) => {
  const [red = 0, green = 0, blue = 0] = colour.match(/\d+/g)?.map((value) => (Number(value) / 255) ** 2.2) ?? [];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};

describe("heatRange", () => {
  it("goes from 0 to the largest weight", () => {
    expect(heatRange(map(0.1, 0.4, 0.2), "attention")).toEqual({ low: 0, high: 0.4 });
  });

  it("has 0 in the middle for contributions", () => {
    expect(heatRange(map(0.1, -0.4, 0.2), "contribution")).toEqual({ low: -0.4, high: 0.4 });
  });

  it("is null where nothing is to be seen", () => {
    expect(heatRange(map(), "attention")).toBeNull();
    expect(heatRange(map(0, 0), "contribution")).toBeNull();
    expect(heatRange({ ...map(1), edge_level0: 0 }, "attention")).toBeNull();
  });
});

describe("heatColour", () => {
  it("gives the scale's own colours at its places", () => {
    expect(heatColour("attention", { low: 0, high: 5 }, 0)).toBe("rgb(0, 34, 78)");
    expect(heatColour("attention", { low: 0, high: 5 }, 1)).toBe("rgb(53, 69, 108)");
    expect(heatColour("attention", { low: 0, high: 5 }, 5)).toBe("rgb(254, 232, 56)");
    expect(heatColour("contribution", { low: -2, high: 2 }, 0)).toBe("rgb(247, 247, 247)");
  });

  it("gets lighter with the weight", () => {
    const shades = Array.from({ length: 50 }, (_, i) => luminance(heatColour("attention", { low: 0, high: 49 }, i)));
    expect(shades).toEqual([...shades].sort((a, b) => a - b));
  });

  it("stays at the ends beyond them", () => {
    expect(heatColour("attention", { low: 0, high: 1 }, 7)).toBe("rgb(254, 232, 56)");
  });

  it("is told by the legend", () => {
    expect(heatStops("contribution")).toHaveLength(5);
  });
});

describe("heatTiles", () => {
  it("places tiles by their corners, the heaviest on top", () => {
    const tiles = heatTiles(map(0.1, -0.4, 0.2), "contribution");
    expect(tiles.map((tile) => tile.rect.x)).toEqual([0, 20, 10]);
    expect(tiles[2]?.rect).toEqual({ x: 10, y: 5, width: 10, height: 10 });
    expect(tiles[2]?.colour).toBe(heatColour("contribution", { low: -1, high: 1 }, -1));
  });
});
