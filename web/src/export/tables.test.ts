import { expect, it } from "vitest";
import type { Result, SearchResponse } from "../api/types";
import { resultsCsv, resultsJson } from "./tables";

const result = {
  rank: 1,
  slide_id: "S-1",
  case_id: "C-1",
  score: 0.5,
  probability: null,
  also: ["S-2", "S-3"],
  ways: [{ name: "tiles", rank: 2 }],
  slide: {
    title: "S-1",
    file_name: "s-1.svs",
    patient_id: "P-7",
    diagnosis: "adenoma",
    organ: "colon",
    stain: "H&E",
    site: null,
  },
} as unknown as Result;

it("names the patient beside the case", () => {
  const [head, row] = resultsCsv([result]).replace("\uFEFF", "").split("\r\n");
  expect(head).toBe(
    "rank,slide_id,title,file_name,case_id,patient_id,score,probability,diagnosis,organ,stain,site,also,ways,region",
  );
  expect(row).toBe("1,S-1,S-1,s-1.svs,C-1,P-7,0.5,,adenoma,colon,H&E,,S-2 S-3,tiles: 2,");
  const region = { x: 1, y: 2, width: 30, height: 40 };
  expect(resultsCsv([{ ...result, region }])).toContain('tiles: 2,"1,2,30,40"');
});

it("says where results come from, and leaves the answer as it is", () => {
  const response = { query_key: "k", results: [result] } as unknown as SearchResponse;
  const origin = {
    archive: "demo",
    question: '"adenoma"',
    filters: "organ: colon",
    where: null,
    exported: "2026-01-01T00:00:00.000Z",
    purpose: "For research and education.",
  };
  expect(JSON.parse(resultsJson(response, origin))).toEqual({ origin, ...response });
});
