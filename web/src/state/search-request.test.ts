import { describe, expect, it } from "vitest";
import { type Route, START } from "./route";
import { explainRequestOf, searchRequestOf } from "./search-request";

const ASKED: Route = { ...START, query: { kind: "text", text: "necrosis" } };

const ARCHIVE = { fields: [{ name: "diagnosis", type: "string" }], calibrated_for: null };

describe("the request of a route", () => {
  it("is none while nothing is asked", () => {
    expect(searchRequestOf(START, ARCHIVE)).toBeNull();
  });

  it("passes over the pages before", () => {
    const settings = { ...START.settings, perPage: 30 };
    expect(searchRequestOf({ ...ASKED, settings, page: 3 }, ARCHIVE)).toMatchObject({ k: 30, offset: 60 });
  });

  it("has marks only where something is marked", () => {
    expect(searchRequestOf(ASKED, ARCHIVE)?.marks).toBeNull();
    const marks = { relevant: ["S1"], irrelevant: [] };
    expect(searchRequestOf({ ...ASKED, marks }, ARCHIVE)?.marks).toEqual(marks);
  });

  it("has results vote as usual, on another column, or not at all", () => {
    const voting = (vote: string | null): Route => ({ ...ASKED, settings: { ...START.settings, vote } });
    expect(searchRequestOf(voting(null), ARCHIVE)?.vote).toBe("diagnosis");
    expect(searchRequestOf(voting("organ"), ARCHIVE)?.vote).toBe("organ");
    expect(searchRequestOf(voting(""), ARCHIVE)?.vote).toBeNull();
    expect(searchRequestOf(voting(null), null)?.vote).toBeNull();
  });

  it("does not depend on what is selected or shown", () => {
    const elsewhere: Route = { ...ASKED, view: "compare", selected: "S1", shown: { opacity: "1" } };
    expect(searchRequestOf(elsewhere, ARCHIVE)).toEqual(searchRequestOf(ASKED, ARCHIVE));
  });
});

describe("a search for regions", () => {
  const settings = { ...START.settings, to: "regions", byCase: true, minProbability: 0.5 } as const;
  const marks = { relevant: ["S1"], irrelevant: [] };

  it("asks for nothing that is of slides", () => {
    const none = { to: "regions", by_case: false, min_probability: null, vote: null, marks: null };
    expect(searchRequestOf({ ...ASKED, settings, marks }, ARCHIVE)).toMatchObject(none);
  });

  it("is by words alone: images look for slides", () => {
    const query = { kind: "slide", slide: { slide_id: "S1" } } as const;
    expect(searchRequestOf({ ...ASKED, query, settings }, ARCHIVE)).toMatchObject({ to: "slides", by_case: true });
    expect(explainRequestOf({ ...ASKED, settings, selected: "S1" })).toMatchObject({ to: "slides" });
  });
});

describe("the explanation of a route", () => {
  it("is of the slide that is selected", () => {
    expect(explainRequestOf(ASKED)).toBeNull();
    expect(explainRequestOf({ ...ASKED, selected: "S1" })).toMatchObject({ query: ASKED.query, slide_id: "S1" });
  });
});
