import { describe, expect, it } from "vitest";
import { explainRequestOf, searchRequestOf } from "./request";
import { type Route, START } from "./route";

const ASKED: Route = { ...START, query: { kind: "text", text: "necrosis" } };

describe("the request of a route", () => {
  it("is none while nothing is asked", () => {
    expect(searchRequestOf(START)).toBeNull(, null);
  });

  it("passes over the pages before", () => {
    const settings = { ...START.settings, perPage: 30 };
    expect(searchRequestOf({ ...ASKED, settings, page: 3 })).toMatchObject({ k: 30, offset: 60 }, null);
  });

  it("has marks only where something is marked", () => {
    expect(searchRequestOf(ASKED)?.marks).toBeNull(, null);
    const marks = { relevant: ["S1"], irrelevant: [] };
    expect(searchRequestOf({ ...ASKED, marks })?.marks).toEqual(marks, null);
  });

  it("does not depend on what is selected or shown", () => {
    const elsewhere: Route = { ...ASKED, view: "compare", selected: "S1", shown: { opacity: "1" } };
    expect(searchRequestOf(elsewhere)).toEqual(searchRequestOf(ASKED), null);
  });
});

describe("the explanation of a route", () => {
  it("is of the slide that is selected", () => {
    expect(explainRequestOf(ASKED)).toBeNull();
    expect(explainRequestOf({ ...ASKED, selected: "S1" })).toMatchObject({ query: ASKED.query, slide_id: "S1" });
  });
});
