/** The requests that a route stands for. */
import type { ExplainRequest, SearchRequest } from "../api/types";
import type { Route } from "./route";

export const RESULTS_PER_PAGE = 20;

/** The search of a route, null when nothing is asked. */
export function searchRequestOf(route: Route): SearchRequest | null {
  if (!route.query) return null;
  const { settings } = route;
  const judged = route.marks.relevant.length + route.marks.irrelevant.length > 0;
  return {
    query: route.query,
    k: RESULTS_PER_PAGE,
    offset: (route.page - 1) * RESULTS_PER_PAGE,
    to: settings.to,
    filters: [...route.filters],
    by_case: settings.byCase,
    same_patient: settings.samePatient,
    min_probability: settings.minProbability,
    distance: settings.distance,
    vote: settings.vote,
    expand: settings.expand,
    marks: judged ? route.marks : null,
  };
}

/** The explanation of the selected slide, null when none is selected or nothing is asked. */
export function explainRequestOf(route: Route): ExplainRequest | null {
  if (!route.query || !route.selected) return null;
  const { to, distance } = route.settings;
  return { query: route.query, slide_id: route.selected, to, distance };
}
