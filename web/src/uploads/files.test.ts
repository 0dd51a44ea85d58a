import { describe, expect, it } from "vitest";
import type { Upload } from "../api/types";
import { formatSize } from "../strings/formats";
import { isPicture, queryOfUpload, spacingOf } from "./files";

const upload = (name: string, spacing_um_per_px: number | null): Upload => ({
  upload_id: "u",
  name,
  bytes: 1,
  created: "",
  expires: "",
  image: { width: 1, height: 1, spacing_um_per_px, tile_size_px: 254, overlap_px: 1, max_level: 0 },
});

it("tells pictures from slides by their names", () => {
  expect(["a.PNG", "b.jpeg", "c.jpg"].every(isPicture)).toBe(true);
  expect(["a.svs", "b.tif", "png", "c.ndpi"].some(isPicture)).toBe(false);
});

it("asks with pictures as pictures, with all else as slides", () => {
  expect(queryOfUpload(upload("crop.png", 0.5))).toEqual({ kind: "picture", upload_id: "u", spacing_um_per_px: 0.5 });
  expect(queryOfUpload(upload("a.svs", 0.5))).toEqual({ kind: "slide", slide: { upload_id: "u" } });
});

describe("spacingOf", () => {
  it("reads numbers with a point or a comma", () => {
    expect(spacingOf(" 0.25 ")).toBe(0.25);
    expect(spacingOf("0,5")).toBe(0.5);
    expect(spacingOf(".5")).toBe(0.5);
  });

  it.each(["", "0", "-1", "1e3", "20x", "0.001", "101", "0.5 0.5"])("refuses %j", (typed) => {
    expect(spacingOf(typed)).toBeNull();
  });
});

it("writes sizes", () => {
  expect([0, 999, 1500, 15_000_000, 2_000_000_000].map(formatSize)).toEqual([
    "0 bytes",
    "999 bytes",
    "1.5 kB",
    "15 MB",
    "2.0 GB",
  ]);
});
