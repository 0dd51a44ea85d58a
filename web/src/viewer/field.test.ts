import { describe, expect, it } from "vitest";
import type { ImageInfo } from "../api/types";
import { fieldAround, fieldSizeUm, inField, tilesOf } from "./field";

const IMAGE: ImageInfo = {
  width: 5000,
  height: 3000,
  spacing_um_per_px: 0.5,
  tile_size_px: 256,
  overlap_px: 1,
  max_level: 13,
};
const REGION = { x: 2000, y: 1000, width: 400, height: 200 };

describe("fields", () => {
  it("are of one round size, with room around the largest region", () => {
    expect(fieldSizeUm([120, 380, 40])).toBe(500);
    expect(fieldSizeUm([410])).toBe(1000);
    expect(fieldSizeUm([])).toBe(100);
    expect(fieldSizeUm([50_000])).toBe(10_000);
  });

  it("have their region in the middle, at their scale", () => {
    const field = fieldAround(REGION, 1000);
    expect(field).toEqual({ x: 1700, y: 600, width: 1000, height: 1000 });
    expect(inField(field, REGION, 200)).toEqual({ x: 60, y: 80, width: 80, height: 40 });
  });

  it("are covered by the tiles of the coarsest level that is sharp", () => {
    const field = fieldAround(REGION, 1000);
    const tiles = tilesOf(IMAGE, field, 250);
    // 1000 px on 250: level-0 px are halved twice, so that a tile has 1024 of them.
    expect(tiles.map(({ level, column, row }) => [level, column, row])).toEqual([
      [11, 1, 0],
      [11, 2, 0],
      [11, 1, 1],
      [11, 2, 1],
    ]);
    // Column 1 begins a px of its level before 1024.
    expect(tiles[0]).toMatchObject({ x: (1020 - 1700) / 4, y: -150, width: 258, height: 257 });
    expect(new Set(tilesOf(IMAGE, field, 250, 2).map(({ level }) => level))).toEqual(new Set([12]));
  });

  it("ask for no tile beyond the slide, nor below its last level", () => {
    const corner = tilesOf(IMAGE, { x: 4900, y: 2900, width: 400, height: 400 }, 800);
    expect(corner.map(({ level, column, row }) => [level, column, row])).toEqual([[13, 19, 11]]);
    expect(corner[0]?.width).toBe((5000 - (19 * 256 - 1)) * 2);
    expect(tilesOf(IMAGE, { x: -900, y: -900, width: 400, height: 400 }, 100)).toEqual([]);
  });
});
