import { describe, expect, it } from "vitest";
import type { ImageQuery, Query } from "../api/types";
import { draftOf, EMPTY_DRAFT, patientOf, queryOf, withoutArchived, withoutUpload, withPatient } from "./draft";

const UPLOAD = "0123456789abcdef0123456789abcdef";
const archived: ImageQuery = { kind: "slide", slide: { slide_id: "S-1" } };
const uploaded: ImageQuery = { kind: "slide", slide: { upload_id: UPLOAD } };

const QUERIES: Query[] = [
  { kind: "text", text: "high grade" },
  { kind: "text", text: "high grade", without: "necrosis", patient_id: "P-1" },
  { kind: "report", text: "Sections show ..." },
  { kind: "report", slide_id: "S-1" },
  archived,
  { kind: "slide", slide: { upload_id: UPLOAD, patient_id: "P-1" } },
  { kind: "region", slide: { slide_id: "S-1" }, regions: [{ x: 1, y: 2, width: 3, height: 4 }] },
  { kind: "picture", upload_id: UPLOAD, spacing_um_per_px: 0.5, patient_id: "P-1" },
  { kind: "case", case_id: "C-1" },
  { kind: "case", slides: [{ slide_id: "S-1" }, { slide_id: "S-2" }] },
  { kind: "composed", image: archived, text: "with necrosis", weight: 0.3 },
  { kind: "composed", image: uploaded, without: "necrosis", weight: 0.5 },
];

/** The words of a query, as they come back from what was typed. */
function wordsOf(query: Query) {
  const { text, without } = query.kind === "text" || query.kind === "composed" ? query : {};
  return { text: text ?? "", without: without ?? "" };
}

const NO_WORDS = { text: "", without: "" };

describe("queryOf", () => {
  it.each(QUERIES)("gives back the query that a draft was made of: $kind", (query) => {
    expect(queryOf(draftOf(query, EMPTY_DRAFT), wordsOf(query))).toEqual(query);
  });

  it("gives none while there is nothing to ask", () => {
    expect(queryOf(EMPTY_DRAFT, NO_WORDS)).toBeNull();
    expect(queryOf(EMPTY_DRAFT, { text: "", without: "necrosis" })).toBeNull();
  });

  it("asks with a slide and words by having both", () => {
    const draft = { ...EMPTY_DRAFT, image: archived };
    expect(queryOf(draft, NO_WORDS)).toEqual(archived);
    expect(queryOf(draft, { text: "necrosis", without: "" })).toMatchObject({ kind: "composed", text: "necrosis" });
  });

  it("puts further words below a report", () => {
    const draft = { ...EMPTY_DRAFT, report: "Sections show ..." };
    expect(queryOf(draft, { text: "necrosis", without: "" })).toMatchObject({ text: "Sections show ...\nnecrosis" });
  });

  it("names no patient for slides whose patient the archive knows", () => {
    expect(queryOf({ ...EMPTY_DRAFT, image: archived, patient: "P-1" }, NO_WORDS)).toEqual(archived);
    expect(queryOf({ ...EMPTY_DRAFT, reportOf: "S-1", patient: "P-1" }, NO_WORDS)).toEqual({
      kind: "report",
      slide_id: "S-1",
    });
  });
});

describe("the patient of an image", () => {
  it("is named at uploaded slides only, and can be taken out again", () => {
    const both: ImageQuery = { kind: "case", slides: [{ slide_id: "S-1" }, { upload_id: UPLOAD }] };
    const named = withPatient(both, "P-1");
    expect(named).toEqual({ kind: "case", slides: [{ slide_id: "S-1" }, { upload_id: UPLOAD, patient_id: "P-1" }] });
    expect(patientOf(named)).toBe("P-1");
    expect(withPatient(named, "")).toEqual(both);
  });
});

describe("withoutArchived", () => {
  it("leaves words and uploads, which any archive can be asked with", () => {
    const draft = { ...EMPTY_DRAFT, text: "words", reportOf: "S-1", image: archived };
    expect(withoutArchived(draft)).toEqual({ ...EMPTY_DRAFT, text: "words" });
    expect(withoutArchived({ ...EMPTY_DRAFT, image: uploaded }).image).toBe(uploaded);
    expect(withoutArchived({ ...EMPTY_DRAFT, image: { kind: "case", case_id: "C-1" } }).image).toBeNull();
  });
});

describe("withoutUpload", () => {
  it("empties what was of that upload and keeps the rest", () => {
    expect(withoutUpload(uploaded, UPLOAD)).toBeNull();
    expect(withoutUpload(archived, UPLOAD)).toBe(archived);
    expect(withoutUpload({ kind: "case", slides: [{ slide_id: "S-1" }, { upload_id: UPLOAD }] }, UPLOAD)).toEqual({
      kind: "case",
      slides: [{ slide_id: "S-1" }],
    });
  });
});
