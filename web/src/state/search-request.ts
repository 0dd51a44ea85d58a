/** The requests that a route stands for. */
import type { ArchiveInfo, ExplainRequest, SearchRequest } from "../api/types";
import { usualVote } from "./label-columns";
import type { Route } from "./route";

type Voting = Pick<ArchiveInfo, "fields" | "calibrated_for">;

/** The search of a route, null when nothing is asked. */
export function searchRequestOf(route: Route, archive: Voting | null): SearchRequest | null {
  if (!route.query) return null;
  const { settings } = route;
  const judged = route.marks.relevant.length + route.marks.irrelevant.length > 0;
  return {
    query: route.query,
    k: settings.perPage,
    offset: (route.page - 1) * settings.perPage,
    to: settings.to,
    where: settings.where,
    filters: [...route.filters],
    by_case: settings.byCase,
    same_patient: settings.samePatient,
    exact: settings.exact,
    min_probability: settings.minProbability,
    distance: settings.distance,
    vote: settings.vote === null ? archive && usualVote(archive) : settings.vote || null,
    expand: settings.expand,
    verbatim: settings.verbatim,
    marks: judged ? route.marks : null,
  };
}

/** The explanation of the selected slide, null when none is selected or nothing is asked. */
export function explainRequestOf(route: Route): ExplainRequest | null {
  if (!route.query || !route.selected) return null;
  const { to, distance } = route.settings;
  return { query: route.query, slide_id: route.selected, to, distance };
}
