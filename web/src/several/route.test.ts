import { describe, expect, it } from "vitest";
import type { Query } from "../api/types";
import { START } from "../state/route";
import { namesArchived, routeInAll } from "./route";

const SLIDE: Query = { kind: "slide", slide: { slide_id: "a" } };

describe("a question to all archives", () => {
  it.each<[Query, boolean]>([
    [SLIDE, true],
    [{ kind: "slide", slide: { upload_id: "0" } }, false],
    [{ kind: "case", case_id: "c" }, true],
    [{ kind: "case", slides: [{ upload_id: "0" }] }, false],
    [{ kind: "report", slide_id: "a" }, true],
    [{ kind: "report", text: "words" }, false],
    [{ kind: "composed", image: SLIDE, text: "words" }, true],
    [{ kind: "text", text: "words" }, false],
  ])("says whose slides it names: %j", (query, names) => {
    expect(namesArchived(query)).toBe(names);
    expect(routeInAll({ ...START, archive: "kidney", query }, "kidney").shown).toEqual(names ? { home: "kidney" } : {});
  });

  it("is without what was judged in one archive", () => {
    const judged = { ...START, query: SLIDE, marks: { relevant: ["b"], irrelevant: [] }, page: 4 };
    expect(routeInAll(judged, "kidney")).toMatchObject({ archive: "*", page: 1, marks: { relevant: [] } });
  });
});
