/** What the search of the address found; shared by all views. */
import { computed } from "@preact/signals";
import { searches } from "../api/endpoints";
import type { Result, SearchRequest, SearchResponse } from "../api/types";
import { archive, archiveChanges, archiveName, asksAll } from "./archives";
import { hrefTo, NEW_QUESTION, route } from "./navigation";
import { describeFilters, describeQuestion } from "./query-descriptions";
import { RecentCache } from "./recent-cache";
import { isAt } from "./region-key";
import { resource } from "./resource";
import { noteSearch } from "./search-history";
import { searchRequestOf } from "./search-request";

interface ArchiveRequest {
  readonly archive: string;
  readonly request: SearchRequest;
  readonly changes: number;
}

const currentRequest = computed<ArchiveRequest | null>(() => {
  const request = searchRequestOf(route.value, archive.value);
  if (!request || !archiveName.value || asksAll.value) return null;
  return { archive: archiveName.value, request, changes: archiveChanges.value };
});

const MOST_ANSWERS = 20;
const FRESH_MS = 10 * 60_000;

/** The last answers, so that the back button need not ask again; archives change, so not for long. */
const answers = new RecentCache<SearchResponse>(MOST_ANSWERS, FRESH_MS);

export const searchResults = resource(() => currentRequest.value, fetchResponse);

/** The result of the slide, or of its region, that is selected; null when it is not on this page of results. */
export const selectedResult = computed<Result | null>(() => {
  const results = searchResults.state.value.value?.results ?? [];
  const ofSlide = results.filter((result) => result.slide_id === route.value.selected);
  return ofSlide.find((result) => isAt(result, route.value)) ?? ofSlide[0] ?? null;
});

async function fetchResponse(
  { archive, request, changes }: ArchiveRequest,
  signal: AbortSignal,
): Promise<SearchResponse> {
  const key = JSON.stringify([archive, request, changes]);
  const kept = answers.get(key);
  const answer = kept ?? (await searches.search(archive, request, signal));
  if (!kept) answers.put(key, answer);
  if (!signal.aborted) note(archive, answer);
  return answer;
}

function note(archive: string, answer: SearchResponse): void {
  const { query, filters: filtered, page } = route.peek();
  // A page behind the last says nothing of the search.
  if (page > 1 && !answer.results.length) return;
  const href = hrefTo({ ...NEW_QUESTION, archive, collection: null, shown: {} });
  const label = describeQuestion(query, answer.query);
  const filters = describeFilters(filtered);
  noteSearch({ href, label, filters, archive, at: new Date().toISOString(), results: answer.results.length });
}
