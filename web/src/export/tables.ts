import type { Result, SearchResponse } from "../api/types";
import { type Cell, csvText } from "./csv";

const COLUMNS: readonly (readonly [string, (result: Result) => Cell])[] = [
  ["rank", ({ rank }) => rank],
  ["slide_id", ({ slide_id }) => slide_id],
  ["case_id", ({ case_id }) => case_id],
  ["score", ({ score }) => score],
  ["probability", ({ probability }) => probability],
  ["diagnosis", ({ slide }) => slide.diagnosis],
  ["organ", ({ slide }) => slide.organ],
  ["stain", ({ slide }) => slide.stain],
  ["site", ({ slide }) => slide.site],
  ["also", ({ also }) => also.join(" ")],
  ["ways", ({ ways }) => ways.map(({ name, rank }) => `${name}: ${rank}`).join("; ")],
];

/** Results as a table for spreadsheets; columns are named as in the REST API. */
export function resultsCsv(results: readonly Result[]): string {
  return csvText(
    COLUMNS.map(([name]) => name),
    results.map((result) => COLUMNS.map(([, cell]) => cell(result))),
  );
}

/** The whole answer of the server, to be read by programs. */
export function resultsJson(response: SearchResponse): string {
  return `${JSON.stringify(response, null, 2)}\n`;
}
