/**
 * Where the page is: everything that matters, as one frozen value and as an address.
 *
 * The address is a fragment, "#/results?archive=...": browsers do not send fragments, so that what was asked appears
 * in no log of a server or proxy.
 */
import type { Bound, FieldFilter, Marks, Query } from "../api/types";
import { hasLostText, readQuery, type TextStore, writeQuery } from "./query-parameters";

/** What the page shows; `results` without a question lists the archive's slides. */
export const VIEWS = ["results", "compare", "board", "case", "overview", "collections", "work", "history"] as const;
export type View = (typeof VIEWS)[number];

/** The views that the header leads to; the others need something that was chosen. */
export const MAIN_VIEWS = ["results", "overview", "collections", "work", "history"] as const satisfies readonly View[];

/** What can be looked for. */
export const TARGETS = ["slides", "reports", "regions"] as const;
export type Target = (typeof TARGETS)[number];

/** How to search, as SearchRequest has it; null: as the server does it; perPage: results on a page; vote: "" for none. */
export interface SearchSettings {
  readonly perPage: number;
  readonly to: Target;
  readonly byCase: boolean;
  readonly samePatient: boolean;
  readonly exact: boolean;
  readonly where: string | null;
  readonly minProbability: number | null;
  readonly distance: string | null;
  readonly vote: string | null;
  readonly expand: boolean;
  readonly verbatim: boolean;
}

/**
 * archive: by name, null for the first one, ALL_ARCHIVES for all; marks: slides that were judged; selected: id of the slide that is looked at; page: of the results, from 1; collection: by id; shown: settings of views, by name.
 */
export interface Route {
  readonly view: View;
  readonly archive: string | null;
  readonly query: Query | null;
  readonly filters: readonly FieldFilter[];
  readonly settings: SearchSettings;
  readonly marks: Marks;
  readonly selected: string | null;
  readonly page: number;
  readonly collection: string | null;
  readonly shown: Readonly<Record<string, string>>;
}

export const USUAL_SETTINGS: SearchSettings = Object.freeze({
  perPage: 20,
  to: "slides",
  byCase: false,
  samePatient: false,
  exact: false,
  where: null,
  minProbability: null,
  distance: null,
  vote: null,
  expand: true,
  verbatim: false,
});

/** Stands in the address for all archives at once. */
export const ALL_ARCHIVES = "*";

/** Nothing judged. */
export const NO_MARKS: Marks = Object.freeze({ relevant: [], irrelevant: [] });

export const START: Route = Object.freeze({
  view: "results",
  archive: null,
  query: null,
  filters: [],
  settings: USUAL_SETTINGS,
  marks: NO_MARKS,
  selected: null,
  page: 1,
  collection: null,
  shown: {},
});

// As many as the server gives at once.
const MOST_PER_PAGE = 500;
const SOURCES = { metadata: "f.", report: "r.", name: "n." } as const;
const BOUNDS = { minimum: "min.", maximum: "max." } as const;
const SHOWN = "v.";

/** The fragment of a route, with "#"; what is as usual is left out. */
export function formatRoute(route: Route, texts: TextStore): string {
  const to = new URLSearchParams();
  if (route.archive) to.set("archive", route.archive);
  if (route.query) writeQuery(route.query, to, texts);
  writeFilters(route.filters, to);
  writeSettings(route.settings, to);
  for (const id of route.marks.relevant) to.append("more", id);
  for (const id of route.marks.irrelevant) to.append("less", id);
  if (route.selected) to.set("at", route.selected);
  if (route.page > 1) to.set("page", String(route.page));
  if (route.collection) to.set("collection", route.collection);
  for (const [name, value] of Object.entries(route.shown)) to.set(SHOWN + name, value);
  const parameters = to.toString();
  return `#/${route.view}${parameters && `?${parameters}`}`;
}

/** The route of a fragment; what can't be understood is as at the start. */
export function parseRoute(fragment: string, texts: TextStore): Route {
  const [view, from] = partsOf(fragment);
  return {
    view: VIEWS.find((known) => known === view) ?? START.view,
    archive: from.get("archive") || null,
    query: readQuery(from, texts),
    filters: readFilters(from),
    settings: readSettings(from),
    marks: { relevant: from.getAll("more").filter(Boolean), irrelevant: from.getAll("less").filter(Boolean) },
    selected: from.get("at") || null,
    page: positive(from.get("page")),
    collection: from.get("collection") || null,
    shown: Object.fromEntries(
      [...from].filter(([name]) => name.startsWith(SHOWN)).map(([name, value]) => [name.slice(SHOWN.length), value]),
    ),
  };
}

/** Whether a fragment asks with a report whose text is no longer kept. */
export function asksWithLostText(fragment: string, texts: TextStore): boolean {
  return hasLostText(partsOf(fragment)[1], texts);
}

function partsOf(fragment: string): [view: string, parameters: URLSearchParams] {
  const [, view = "", parameters = ""] = /^#?\/?([^?]*)\??(.*)$/s.exec(fragment) ?? [];
  return [view, new URLSearchParams(parameters)];
}

function writeFilters(filters: readonly FieldFilter[], to: URLSearchParams): void {
  for (const { source, field, values, minimum, maximum } of filters) {
    for (const value of values) to.append(SOURCES[source] + field, String(value ?? ""));
    for (const [name, bound] of Object.entries({ minimum, maximum })) {
      if (bound !== null && bound !== undefined) to.set(BOUNDS[name as keyof typeof BOUNDS] + field, String(bound));
    }
  }
}

function readFilters(from: URLSearchParams): readonly FieldFilter[] {
  const filters = new Map<string, FieldFilter>();
  for (const name of new Set(from.keys())) {
    const [, kind, field] = /^(f|r|n|min|max)\.(.+)$/s.exec(name) ?? [];
    if (!kind || !field) continue;
    const source = kind === "r" ? "report" : kind === "n" ? "name" : "metadata";
    const before = filters.get(source + field) ?? { source, field, values: [] };
    const values = [...new Set(from.getAll(name))].map((value) => value || null);
    const bound = boundOf(from.get(name) ?? "");
    const isRange = kind === "min" || kind === "max";
    if (!isRange) filters.set(source + field, { ...before, values });
    else if (bound !== null)
      filters.set(source + field, { ...before, [kind === "min" ? "minimum" : "maximum"]: bound });
  }
  return [...filters.values()];
}

/** A number, or a date as it is written. */
function boundOf(written: string): Bound {
  if (/^\d{4}-\d{2}-\d{2}$/.test(written)) return written;
  const number = Number(written);
  return written.trim() && Number.isFinite(number) ? number : null;
}

function writeSettings(settings: SearchSettings, to: URLSearchParams): void {
  if (settings.perPage !== USUAL_SETTINGS.perPage) to.set("k", String(settings.perPage));
  if (settings.to !== USUAL_SETTINGS.to) to.set("to", settings.to);
  if (settings.byCase) to.set("by", "case");
  if (settings.samePatient) to.set("same", "patient");
  if (settings.exact) to.set("exact", "yes");
  if (settings.where) to.set("where", settings.where);
  if (settings.minProbability !== null) to.set("least", String(settings.minProbability));
  if (settings.distance) to.set("distance", settings.distance);
  if (settings.vote !== null) to.set("vote", settings.vote);
  if (!settings.expand) to.set("expand", "no");
  if (settings.verbatim) to.set("spelling", "verbatim");
}

function readSettings(from: URLSearchParams): SearchSettings {
  const least = Number.parseFloat(from.get("least") ?? "");
  const perPage = positive(from.get("k"));
  return {
    perPage: from.has("k") && perPage <= MOST_PER_PAGE ? perPage : USUAL_SETTINGS.perPage,
    to: TARGETS.find((known) => known === from.get("to")) ?? USUAL_SETTINGS.to,
    byCase: from.get("by") === "case",
    samePatient: from.get("same") === "patient",
    exact: from.get("exact") === "yes",
    where: from.get("where") || null,
    minProbability: least >= 0 && least <= 1 ? least : null,
    distance: from.get("distance") || null,
    vote: from.get("vote"),
    expand: from.get("expand") !== "no",
    verbatim: from.get("spelling") === "verbatim",
  };
}

function positive(written: string | null): number {
  const page = /^\d{1,6}$/.test(written ?? "") ? Number(written) : 1;
  return Math.max(1, page);
}
