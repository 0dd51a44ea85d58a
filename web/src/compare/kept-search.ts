/** The results that a comparison goes through: a judgement made meanwhile must not reorder them under the reader. */
import { useRef } from "preact/hooks";
import type { SearchResponse } from "../api/types";
import { archiveName } from "../state/archives";
import { route } from "../state/navigation";
import { searchResults } from "../state/search-results";

interface Kept {
  readonly question: string;
  readonly answer: SearchResponse;
}

/** The first answer to what the address asks, marks and page aside; null until there is one. */
export function useKeptSearch(): SearchResponse | null {
  const kept = useRef<Kept | null>(null);
  const { value, loading } = searchResults.state.value;
  const { query, filters, settings } = route.value;
  const question = JSON.stringify([archiveName.value, query, filters, settings]);
  if (kept.current?.question !== question) kept.current = value && !loading ? { question, answer: value } : null;
  return kept.current?.answer ?? null;
}
