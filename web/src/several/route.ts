/** Which archives an address asks: one by its name, or all. */
import type { Query } from "../api/types";
import { ALL_ARCHIVES, NO_MARKS, type Route, START } from "../state/route";

/** What of a view's own settings says which archive the slides of a question are of. */
export const HOME = "home";

/** The route of a question to all archives; home: the archive that was asked before. */
export function routeInAll(route: Route, home: string): Route {
  const { settings, query, filters } = route;
  return {
    ...START,
    archive: ALL_ARCHIVES,
    query,
    filters,
    settings: { ...settings, to: settings.to === "regions" ? START.settings.to : settings.to, distance: null },
    marks: NO_MARKS,
    shown: query && namesArchived(query) ? { [HOME]: home } : {},
  };
}

/** Whether a question names slides, a case or a report of an archive. */
export function namesArchived(query: Query): boolean {
  if (query.kind === "composed") return namesArchived(query.image);
  if (query.kind === "case") return Boolean(query.case_id) || (query.slides ?? []).some(({ slide_id }) => slide_id);
  if (query.kind === "report") return Boolean(query.slide_id);
  if (query.kind === "slide" || query.kind === "region") return Boolean(query.slide.slide_id);
  return false;
}
