/** The same question to another archive. */
import type { ArchiveInfo, ImageQuery, Query } from "../api/types";
import { type Route, START } from "../state/route";
import { slidesOf } from "./draft";

type Named = Pick<ArchiveInfo, "name" | "reads_text" | "measures_regions">;

/** The route of a question to another archive, without what is of the archive before: its slides, columns and cases. */
export function routeInArchive(route: Route, archive: Named): Route {
  const { perPage, byCase, samePatient, exact, expand } = route.settings;
  const to = route.settings.to === "regions" && !archive.measures_regions ? START.settings.to : route.settings.to;
  const settings = { ...START.settings, perPage, byCase, samePatient, exact, expand };
  return {
    ...START,
    view: route.view === "compare" ? "results" : route.view,
    archive: archive.name,
    query: route.query && queryInArchive(route.query, archive.reads_text),
    settings: archive.reads_text ? { ...settings, to } : settings,
  };
}

function queryInArchive(query: Query, readsText: boolean): Query | null {
  switch (query.kind) {
    case "text":
      return readsText ? query : null;
    case "report":
      return readsText && query.text ? query : null;
    case "composed":
      return readsText ? composedInArchive(query) : imageInArchive(query.image);
    default:
      return imageInArchive(query);
  }
}

/** Uploaded slides can be asked with anywhere. */
function imageInArchive(image: ImageQuery): ImageQuery | null {
  const slides = slidesOf(image);
  return slides.length > 0 && slides.every(({ upload_id }) => upload_id) ? image : null;
}

/** Where the slide stays behind, the words are asked by themselves. */
function composedInArchive(query: Extract<Query, { kind: "composed" }>): Query | null {
  if (imageInArchive(query.image)) return query;
  const { text, without } = query;
  return text ? { kind: "text", text, ...(without ? { without } : {}) } : null;
}
