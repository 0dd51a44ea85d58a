import type { ImageInfo } from "../api/types";

/** A slide's picture and where its tiles are; the same key is the same picture. */
export interface SlideSource {
  readonly key: string;
  readonly image: ImageInfo;
  /** Of level 0; null where no size in um can be told. */
  readonly umPerPx: number | null;
  tileUrl(level: number, column: number, row: number): string;
}

/** The finest level that is a single tile: coarser ones need not be asked for. */
export function firstLevel({ width, height, tile_size_px, max_level }: ImageInfo): number {
  const halvings = Math.ceil(Math.log2(Math.max(width, height, 1) / tile_size_px));
  return Math.max(0, max_level - Math.max(0, halvings));
}
