/** From the address to a search that can be saved, and back. */
import type { ArchiveInfo, FieldFilter, SavedSearch, SavedSearchContent, SearchRequest } from "../api/types";
import { NO_MARKS, type Route, START, TARGETS, USUAL_SETTINGS } from "../state/route";
import { searchRequestOf } from "../state/search-request";

/** What of a view's own settings says since when slides are marked as new. */
export const SINCE = "since";

const FIRST_PAGE = { view: START.view, page: START.page, selected: START.selected, marks: NO_MARKS } as const;

/** The search of a route as it is saved. */
export function contentOf(route: Route, archive: ArchiveInfo, name: string): SavedSearchContent {
  const search = searchRequestOf({ ...route, page: 1 }, archive);
  if (search) return { archive: archive.name, name, search };
  return { archive: archive.name, name, browse: { where: route.settings.where, filters: [...route.filters] } };
}

/** Whether a question is one with an upload, which will be deleted. */
export function asksWithUpload(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([name, part]) => (name === "upload_id" && part !== null) || asksWithUpload(part));
}

/** The route that asks a saved search again, with what is new since then marked. */
export function routeOf({ archive, search, browse, seen }: SavedSearch): Partial<Route> {
  const shown = { [SINCE]: seen };
  if (!search) {
    const { where = null, filters = [] } = (browse ?? {}) as { where?: string | null; filters?: FieldFilter[] };
    return { ...FIRST_PAGE, archive, query: null, filters, settings: { ...USUAL_SETTINGS, where }, shown };
  }
  const asked = search as unknown as Required<SearchRequest>;
  const settings = {
    perPage: asked.k,
    to: TARGETS.find((known) => known === asked.to) ?? USUAL_SETTINGS.to,
    byCase: asked.by_case,
    samePatient: asked.same_patient,
    exact: asked.exact,
    where: asked.where,
    minProbability: asked.min_probability,
    distance: asked.distance,
    vote: asked.vote ?? "",
    expand: asked.expand,
    verbatim: asked.verbatim,
  };
  const filters = asked.filters as readonly FieldFilter[];
  const marks = asked.marks ? { ...NO_MARKS, ...asked.marks } : NO_MARKS;
  return { ...FIRST_PAGE, archive, query: asked.query, filters, settings, marks, shown };
}
