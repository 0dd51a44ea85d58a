import { describe, expect, it } from "vitest";
import type { QueryEcho, QuerySlide, Result } from "../api/types";
import { querySlide, slideRef } from "./comparison";

const UPLOAD = "0123456789abcdef0123456789abcdef";

const slide = (change: Partial<QuerySlide>): QuerySlide => ({
  slide_id: null,
  upload_id: null,
  name: "S",
  spacing_um_per_px: 0.5,
  ...change,
});

describe("querySlide", () => {
  const slides = [slide({ slide_id: "a" }), slide({ slide_id: "b" })];
  const of = (query_slide: number, all: QuerySlide[]) =>
    querySlide({ query: { slides: all } as QueryEcho, result: { query_slide } as Result });

  it("is the one that the result is nearest to", () => {
    expect(of(1, slides)?.slide_id).toBe("b");
  });

  it("is null for words", () => {
    expect(of(0, [])).toBeNull();
  });
});

describe("slideRef", () => {
  it("names a slide of the archive by its id", () => {
    expect(slideRef(slide({ slide_id: "a" }), null)).toEqual({ slide_id: "a" });
  });

  it.each([
    { kind: "slide", slide: { upload_id: UPLOAD, patient_id: "P7" } } as const,
    { kind: "picture", upload_id: UPLOAD, spacing_um_per_px: 0.5, patient_id: "P7" } as const,
    {
      kind: "composed",
      image: { kind: "region", slide: { upload_id: UPLOAD, patient_id: "P7" }, regions: [] },
      text: "necrosis",
    } as const,
    { kind: "case", slides: [{ slide_id: "x" }, { upload_id: UPLOAD, patient_id: "P7" }] } as const,
  ])("keeps the patient that was named in $kind", (query) => {
    const mutable = structuredClone(query) as Parameters<typeof slideRef>[1];
    expect(slideRef(slide({ upload_id: UPLOAD }), mutable)).toEqual({ upload_id: UPLOAD, patient_id: "P7" });
  });

  it("names no patient where none was named", () => {
    const query = { kind: "slide" as const, slide: { upload_id: UPLOAD } };
    expect(slideRef(slide({ upload_id: UPLOAD }), query)).toEqual({ upload_id: UPLOAD });
  });
});
