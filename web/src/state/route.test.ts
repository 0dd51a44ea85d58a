import { describe, expect, it } from "vitest";
import type { Query } from "../api/types";
import type { TextStore } from "./query-parameters";
import { asksWithLostText, formatRoute, parseRoute, type Route, START, USUAL_SETTINGS } from "./route";

function memory(): TextStore {
  const texts = new Map<string, string>();
  return {
    keep: (text) => {
      texts.set(`key-${text.length}`, text);
      return `key-${text.length}`;
    },
    recall: (key) => texts.get(key) ?? null,
  };
}

function throughAddress(route: Route, texts = memory()): Route {
  return parseRoute(formatRoute(route, texts), texts);
}

const UPLOAD = "0123456789abcdef0123456789abcdef";
const BOX = { x: 0, y: 20, width: 300, height: 40 };

const QUERIES: readonly Query[] = [
  { kind: "text", text: "clear cell carcinoma & more = 50 % ä #1?" },
  { kind: "text", text: "tumour", without: "necrosis", patient_id: "p 1" },
  { kind: "slide", slide: { slide_id: "a/b c" } },
  { kind: "slide", slide: { upload_id: UPLOAD, patient_id: "p1" } },
  { kind: "region", slide: { slide_id: "S1" }, regions: [BOX, { ...BOX, x: 7 }] },
  { kind: "region", slide: { upload_id: UPLOAD }, regions: [BOX], unit: "um" },
  { kind: "picture", upload_id: UPLOAD, spacing_um_per_px: 0.25, patient_id: "p1" },
  { kind: "case", case_id: "C-1" },
  { kind: "case", slides: [{ slide_id: "S1" }, { slide_id: "S2" }, { upload_id: UPLOAD }] },
  { kind: "report", slide_id: "S1" },
  { kind: "report", text: "Kidney, left. Clear cell renal cell carcinoma.", patient_id: "p1" },
  { kind: "composed", image: { kind: "slide", slide: { slide_id: "S1" } }, text: "necrosis", weight: 0.25 },
  {
    kind: "composed",
    image: { kind: "region", slide: { slide_id: "S1" }, regions: [BOX] },
    without: "fat",
  },
];

describe("addresses", () => {
  it.each(QUERIES)("keep a query: $kind", (query) => {
    expect(throughAddress({ ...START, query }).query).toEqual(query);
  });

  it("keep all the rest", () => {
    const route: Route = {
      view: "compare",
      archive: "kidney 2024",
      query: { kind: "text", text: "x" },
      filters: [
        { source: "metadata", field: "organ", values: ["kidney", null] },
        { source: "report", field: "grade", values: ["3"] },
        { source: "metadata", field: "age", values: [null], minimum: 50, maximum: 59.5 },
        { source: "metadata", field: "created", values: [], minimum: "2026-01-31" },
      ],
      settings: {
        ...USUAL_SETTINGS,
        to: "reports",
        byCase: true,
        samePatient: true,
        minProbability: 0.5,
        distance: "chamfer",
        vote: "diagnosis",
        expand: false,
        verbatim: true,
      },
      marks: { relevant: ["S1", "S2"], irrelevant: ["S3"] },
      selected: "S4",
      page: 3,
      collection: "c1",
      shown: { opacity: "0.4", locked: "" },
    };
    expect(throughAddress(route)).toEqual(route);
  });

  it("without a bound that means anything narrow nothing", () => {
    expect(parseRoute("#/results?min.age=&max.age=old&min.created=2026-1-1", memory()).filters).toEqual([]);
  });

  it("say no more than is unusual", () => {
    expect(formatRoute(START, memory())).toBe("#/results");
  });

  it("do not tell the text of a report", () => {
    const text = "Patient Jane Doe, clear cell carcinoma";
    expect(formatRoute({ ...START, query: { kind: "report", text } }, memory())).not.toMatch(/Jane|clear/);
  });

  it("of a report whose text is no longer kept ask nothing", () => {
    const href = formatRoute({ ...START, query: { kind: "report", text: "a report" } }, memory());
    expect(parseRoute(href, memory()).query).toBeNull();
    expect(asksWithLostText(href, memory())).toBe(true);
    expect(asksWithLostText(formatRoute(START, memory()), memory())).toBe(false);
  });
});

describe("addresses that are not understood", () => {
  it.each(["", "#", "#/", "#/nowhere", "#token=abc", "#/results?page=-1&least=7&ask=", "#/results?%E0%A4%A"])(
    "lead to the start: %s",
    (fragment) => {
      expect(parseRoute(fragment, memory())).toEqual(START);
    },
  );

  it.each([
    "ask=text",
    "ask=text&text=%20",
    "ask=slide",
    "ask=region&slide=S1",
    "ask=region&slide=S1&box=1,2,3",
    "ask=region&slide=S1&box=1,2,0,4",
    "ask=region&slide=S1&box=1,2,-3,4",
    "ask=region&slide=S1&box=a,2,3,4",
    "ask=picture&upload=1",
    "ask=picture&upload=1&spacing=NaN",
    "ask=case",
    "ask=composed&image=slide&slide=S1",
    "ask=composed&image=composed&slide=S1&text=x",
    "ask=other&slide=S1",
  ])("ask nothing: %s", (parameters) => {
    expect(parseRoute(`#/results?${parameters}`, memory()).query).toBeNull();
  });

  it("keep the boxes of a region that are right", () => {
    const { query } = parseRoute("#/results?ask=region&slide=S1&box=1,2,3,4&box=nonsense", memory());
    expect(query).toMatchObject({ regions: [{ x: 1, y: 2, width: 3, height: 4 }] });
  });
});
