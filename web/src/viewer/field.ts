/** A field: a square of tissue of a stated size, put together from a slide's Deep Zoom tiles. */
import type { ImageInfo } from "../api/types";
import { centreOf, type Rect } from "./view";

/** Sizes of fields in um; those of one list are all the same. */
const SIZES_UM = [100, 200, 500, 1000, 2000, 5000, 10000] as const;

/** How much of a field its region takes at most, so that some tissue around it is seen. */
const MOST_SHARE = 0.8;

/** Where a tile lies in a picture, in its px; level, column and row are those of Deep Zoom. */
export interface PlacedTile extends Rect {
  readonly level: number;
  readonly column: number;
  readonly row: number;
}

/** The smallest of the sizes in which the largest of some regions, by their longer sides in um, has room. */
export function fieldSizeUm(longestUm: readonly number[]): number {
  const needed = Math.max(0, ...longestUm) / MOST_SHARE;
  return SIZES_UM.find((size) => size >= needed) ?? SIZES_UM[SIZES_UM.length - 1] ?? needed;
}

/** A square around the middle of a region, `edge` level-0 px wide, not moved at the borders of the slide. */
export function fieldAround(region: Rect, edge: number): Rect {
  const { x, y } = centreOf(region);
  return { x: x - edge / 2, y: y - edge / 2, width: edge, height: edge };
}

/** A rectangle of the slide in a picture of a field that is `px` wide. */
export function inField(field: Rect, rect: Rect, px: number): Rect {
  const scale = px / field.width;
  const place = { x: (rect.x - field.x) * scale, y: (rect.y - field.y) * scale };
  return { ...place, width: rect.width * scale, height: rect.height * scale };
}

/** The tiles that show a field `px` wide on a screen of this density, of the coarsest level that is sharp. */
export function tilesOf(image: ImageInfo, field: Rect, px: number, density = 1): readonly PlacedTile[] {
  const halvings = Math.floor(Math.log2(Math.max(1, field.width / (px * density))));
  const level = Math.max(0, image.max_level - halvings);
  const shrink = 2 ** (image.max_level - level);
  const edge = image.tile_size_px * shrink;
  const tiles: PlacedTile[] = [];
  for (const row of range(field.y, field.height, edge, image.height)) {
    for (const column of range(field.x, field.width, edge, image.width)) {
      tiles.push({ level, column, row, ...inField(field, tileRect(image, column, row, shrink), px) });
    }
  }
  return tiles;
}

/** Numbers of the tiles that a stretch meets. */
function range(start: number, length: number, edge: number, whole: number): readonly number[] {
  const first = Math.max(0, Math.floor(start / edge));
  const last = Math.min(Math.ceil(whole / edge), Math.ceil((start + length) / edge)) - 1;
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => first + place);
}

/** A tile in level-0 px, with the rim that it shares with its neighbours. */
function tileRect(image: ImageInfo, column: number, row: number, shrink: number): Rect {
  const across = stretch(column, image, image.width, shrink);
  const down = stretch(row, image, image.height, shrink);
  return { x: across.start, y: down.start, width: across.length, height: down.length };
}

function stretch(place: number, { tile_size_px, overlap_px }: ImageInfo, whole: number, shrink: number) {
  const inLevel = Math.ceil(whole / shrink);
  const start = Math.max(0, place * tile_size_px - overlap_px);
  const end = Math.min(inLevel, (place + 1) * tile_size_px + overlap_px);
  return { start: start * shrink, length: (end - start) * shrink };
}
