/** The requests that a route stands for. */
import type { ArchiveInfo, ExplainRequest, SearchRequest } from "../api/types";
import { usualVote } from "./label-columns";
import type { Route, Target } from "./route";

type Voting = Pick<ArchiveInfo, "fields" | "calibrated_for">;

/** What a route looks for: regions only by words, as the server does. */
export function targetOf({ query, settings }: Pick<Route, "query" | "settings">): Target {
  const byWords = query?.kind === "text" || query?.kind === "report";
  return settings.to === "regions" && !byWords ? "slides" : settings.to;
}

/** The search of a route, null when nothing is asked. */
export function searchRequestOf(route: Route, archive: Voting | null): SearchRequest | null {
  if (!route.query) return null;
  const { settings } = route;
  const to = targetOf(route);
  // Cases, votes, probabilities and judgements are of slides.
  const ofSlides = to !== "regions";
  const judged = ofSlides && route.marks.relevant.length + route.marks.irrelevant.length > 0;
  const vote = settings.vote === null ? archive && usualVote(archive) : settings.vote || null;
  return {
    query: route.query,
    k: settings.perPage,
    offset: (route.page - 1) * settings.perPage,
    to,
    where: settings.where,
    filters: [...route.filters],
    by_case: ofSlides && settings.byCase,
    same_patient: settings.samePatient,
    exact: settings.exact,
    min_probability: ofSlides ? settings.minProbability : null,
    distance: settings.distance,
    vote: ofSlides ? vote : null,
    expand: settings.expand,
    verbatim: settings.verbatim,
    marks: judged ? route.marks : null,
  };
}

/** The explanation of the selected slide, null when none is selected or nothing is asked. */
export function explainRequestOf(route: Route): ExplainRequest | null {
  if (!route.query || !route.selected) return null;
  const to = targetOf(route) === "reports" ? "reports" : "slides";
  return { query: route.query, slide_id: route.selected, to, distance: route.settings.distance };
}
