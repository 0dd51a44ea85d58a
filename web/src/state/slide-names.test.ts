import { describe, expect, it } from "vitest";
import type { Slide } from "../api/types";
import { otherNamesOf, valueIn } from "./slide-names";

const slide = (part: Partial<Slide>): Slide =>
  ({ slide_id: "S-1", title: "S-1", file_name: "", extra: {}, ...part }) as Slide;

describe("other names of a slide", () => {
  it("are its file's and its patient", () => {
    const named = slide({ title: "A1", file_name: "H24-1234 A1.svs", patient_id: "P-7" });
    expect(otherNamesOf(named)).toEqual(["H24-1234 A1.svs", "Patient P-7"]);
  });

  it("are none where the title is the file or its name, or nothing is known", () => {
    expect(otherNamesOf(slide({ file_name: "S-1.ome.tiff", patient_id: null }))).toEqual([]);
    expect(otherNamesOf(slide({ title: "H24 A1.svs", file_name: "H24 A1.svs", patient_id: null }))).toEqual([]);
    expect(otherNamesOf(slide({ patient_id: null }))).toEqual([]);
    expect(otherNamesOf(slide({ file_name: "S-10.svs", patient_id: null }))).toEqual(["S-10.svs"]);
  });
});

describe("the value in a column", () => {
  it("is the slide's own, or one of the further columns", () => {
    expect(valueIn(slide({ diagnosis: "glioma" }), "diagnosis")).toBe("glioma");
    expect(valueIn(slide({ extra: { grade: 3 } }), "grade")).toBe(3);
  });

  it("is null where there is none", () => {
    expect(valueIn(slide({ diagnosis: null }), "diagnosis")).toBeNull();
    expect(valueIn(slide({ diagnosis: "" }), "diagnosis")).toBeNull();
    expect(valueIn(slide({}), "grade")).toBeNull();
  });
});
