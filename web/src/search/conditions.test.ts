import { expect, it } from "vitest";
import { idsAmong, idsLike } from "./conditions";

it("asks for ids that contain what is typed, in any case", () => {
  expect(idsLike(" TCGA-5P ")).toBe("contains(lower(slide_id), 'tcga-5p')");
  expect(idsLike("  ")).toBeNull();
});

it("keeps quotes within the text", () => {
  expect(idsLike("o' or 'a'='a")).toBe("contains(lower(slide_id), 'o'' or ''a''=''a')");
  expect(idsAmong(["a", "b'"])).toBe("slide_id IN ('a', 'b''')");
});
