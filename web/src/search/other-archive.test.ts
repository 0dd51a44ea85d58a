import { describe, expect, it } from "vitest";
import type { ImageQuery, Query } from "../api/types";
import { type Route, START, USUAL_SETTINGS } from "../state/route";
import { routeInArchive } from "./other-archive";

const OTHER = { name: "other", reads_text: true, measures_regions: false };
const archived: ImageQuery = { kind: "slide", slide: { slide_id: "S-1" } };
const uploaded: ImageQuery = { kind: "slide", slide: { upload_id: "0123456789abcdef0123456789abcdef" } };

const queryThere = (query: Query, reads_text = true): Query | null =>
  routeInArchive({ ...START, query }, { ...OTHER, reads_text }).query;

describe("a question to another archive", () => {
  it("keeps words, pasted reports and uploaded slides", () => {
    const kept: Query[] = [
      { kind: "text", text: "glioma", without: "necrosis" },
      { kind: "report", text: "Sections show ..." },
      { kind: "composed", image: uploaded, text: "necrosis", weight: 0.5 },
      uploaded,
    ];
    for (const query of kept) expect(queryThere(query)).toEqual(query);
  });

  it("leaves slides, cases and reports of the archive before", () => {
    expect(queryThere(archived)).toBeNull();
    expect(queryThere({ kind: "case", case_id: "C-1" })).toBeNull();
    expect(queryThere({ kind: "report", slide_id: "S-1" })).toBeNull();
  });

  it("asks with the words alone where their slide stays behind", () => {
    const query: Query = { kind: "composed", image: archived, text: "like this", without: "necrosis", weight: 0.3 };
    expect(queryThere(query)).toEqual({ kind: "text", text: "like this", without: "necrosis" });
    expect(queryThere({ kind: "composed", image: archived, without: "necrosis", weight: 0.3 })).toBeNull();
  });

  it("asks an archive that reads no text with slides only", () => {
    expect(queryThere({ kind: "text", text: "glioma" }, false)).toBeNull();
    expect(queryThere({ kind: "composed", image: uploaded, text: "necrosis", weight: 0.5 }, false)).toEqual(uploaded);
  });

  it("keeps options, but none of the other archive's columns, slides and pages", () => {
    const route: Route = {
      ...START,
      view: "compare",
      archive: "first",
      filters: [{ source: "metadata", field: "organ", values: ["lung"] }],
      settings: { ...USUAL_SETTINGS, perPage: 50, byCase: true, to: "reports", where: "age > 60", minProbability: 0.5 },
      marks: { relevant: ["S-1"], irrelevant: [] },
      selected: "S-1",
      page: 3,
      collection: "c",
    };
    expect(routeInArchive(route, OTHER)).toEqual({
      ...START,
      archive: "other",
      settings: { ...USUAL_SETTINGS, perPage: 50, byCase: true, to: "reports" },
    });
  });

  it("looks for regions only where regions can be compared with words", () => {
    const route = { ...START, settings: { ...START.settings, to: "regions" } } as const;
    expect(routeInArchive(route, OTHER).settings.to).toBe("slides");
    expect(routeInArchive(route, { ...OTHER, measures_regions: true }).settings.to).toBe("regions");
  });
});
