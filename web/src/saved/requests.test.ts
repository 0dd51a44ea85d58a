import { describe, expect, it } from "vitest";
import type { ArchiveInfo, FieldFilter, SavedSearch } from "../api/types";
import { START } from "../state/route";
import { asksWithUpload, contentOf, routeOf } from "./requests";

const ORGAN: FieldFilter = { source: "metadata", field: "organ", values: ["kidney"] };
const GRADE: FieldFilter = { source: "report", field: "grade", values: ["3", null] };
const ARCHIVE = { name: "kidney", fields: [], calibrated_for: null } as unknown as ArchiveInfo;

function savedFrom(route: typeof START): SavedSearch {
  const content = contentOf(route, ARCHIVE, "mine");
  return {
    search_id: "1",
    archive: content.archive,
    name: content.name,
    search: (content.search ?? null) as SavedSearch["search"],
    browse: (content.browse ?? null) as SavedSearch["browse"],
    created: "2026-01-01T00:00:00Z",
    seen: "2026-01-02T00:00:00Z",
    new: null,
  };
}

describe("a saved search", () => {
  it("leads back to the question that was saved", () => {
    const asked = {
      ...START,
      query: { kind: "text", text: "necrosis" } as const,
      filters: [ORGAN],
      settings: { ...START.settings, byCase: true, where: "age > 60", vote: "" },
      marks: { relevant: ["a"], irrelevant: ["b"] },
      page: 3,
    };
    const again = routeOf(savedFrom(asked));
    expect(again).toMatchObject({ query: asked.query, filters: asked.filters, settings: asked.settings });
    expect(again).toMatchObject({ marks: asked.marks, archive: "kidney", page: 1 });
    expect(again.shown).toEqual({ since: "2026-01-02T00:00:00Z" });
  });

  it("leads back to the filters that were saved without a question", () => {
    const browsed = { ...START, filters: [GRADE] };
    expect(routeOf(savedFrom(browsed))).toMatchObject({ query: null, filters: browsed.filters });
  });
});

describe("a question", () => {
  it.each([
    [{ kind: "slide", slide: { slide_id: "a", upload_id: null } }, false],
    [{ kind: "slide", slide: { upload_id: "0" } }, true],
    [{ kind: "composed", image: { kind: "case", slides: [{ upload_id: "0" }] } }, true],
    [null, false],
  ])("is known to use an upload: %j", (query, uses) => {
    expect(asksWithUpload(query)).toBe(uses);
  });
});
