import type { Result, SearchResponse } from "../api/types";
import { regionText } from "../state/region-key";
import { type Cell, csvText } from "./csv";

const COLUMNS: readonly (readonly [string, (result: Result) => Cell])[] = [
  ["rank", ({ rank }) => rank],
  ["slide_id", ({ slide_id }) => slide_id],
  ["title", ({ slide }) => slide.title],
  ["file_name", ({ slide }) => slide.file_name],
  ["case_id", ({ case_id }) => case_id],
  ["patient_id", ({ slide }) => slide.patient_id],
  ["score", ({ score }) => score],
  ["probability", ({ probability }) => probability],
  ["diagnosis", ({ slide }) => slide.diagnosis],
  ["organ", ({ slide }) => slide.organ],
  ["stain", ({ slide }) => slide.stain],
  ["site", ({ slide }) => slide.site],
  ["also", ({ also }) => also.join(" ")],
  ["ways", ({ ways }) => ways.map(({ name, rank }) => `${name}: ${rank}`).join("; ")],
  ["region", ({ region }) => (region ? regionText(region) : "")],
];

/** Where results come from, in words; purpose: what the server says that they are for. */
export interface Origin {
  readonly archive: string;
  readonly question: string;
  readonly filters: string;
  readonly where: string | null;
  readonly exported: string;
  readonly purpose: string | null;
}

/** Results as a table for spreadsheets; columns are named as in the REST API. */
export function resultsCsv(results: readonly Result[]): string {
  return csvText(
    COLUMNS.map(([name]) => name),
    results.map((result) => COLUMNS.map(([, cell]) => cell(result))),
  );
}

/** The whole answer of the server and where it comes from, to be read by programs. */
export function resultsJson(response: SearchResponse, origin: Origin): string {
  return `${JSON.stringify({ origin, ...response }, null, 2)}\n`;
}
