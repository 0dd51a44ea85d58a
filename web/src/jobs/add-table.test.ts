import { describe, expect, it } from "vitest";
import type { Upload } from "../api/types";
import { columnsFor, filledForAll, requestOf } from "./add-table";

function upload(id: string, spacing: number | null): Upload {
  return { upload_id: id, image: { spacing_um_per_px: spacing } } as Upload;
}

describe("the table of slides to be added", () => {
  it("asks for the size of pixels only where a file does not say it", () => {
    expect(columnsFor([upload("a", 0.5)])).not.toContain("spacing");
    expect(columnsFor([upload("a", 0.5), upload("b", null)])).toContain("spacing");
  });

  it("sends what was typed, and leaves out what is empty", () => {
    const cells = filledForAll(
      { a: { slide_id: " S1 ", organ: " " } },
      [upload("a", 1), upload("b", 1)],
      "stain",
      "PAS",
    );
    expect(requestOf([upload("a", 1), upload("b", 1)], cells, new Map([["b", { text: "A report." }]]))).toEqual({
      uploads: [
        { upload_id: "a", slide_id: "S1", metadata: { stain: "PAS" }, report: null },
        { upload_id: "b", slide_id: null, metadata: { stain: "PAS" }, report: "A report." },
      ],
      files: [],
    });
  });

  it("takes a comma for a point in sizes, and nowhere else", () => {
    const { uploads } = requestOf([upload("a", null)], { a: { spacing: "0,5", diagnosis: "a, b" } }, new Map());
    expect(uploads?.[0]?.metadata).toEqual({ spacing: "0.5", diagnosis: "a, b" });
  });
});
