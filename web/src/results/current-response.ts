/** The answer to show: that of the archive of the address, which may still be on its way. */
import { computed, effect, signal } from "@preact/signals";
import type { SearchResponse } from "../api/types";
import { archiveName } from "../state/archives";
import { searchResults } from "../state/search-results";

/** What another archive answered. */
const foreign = signal<SearchResponse | null>(null);

effect(() => {
  archiveName.value;
  foreign.value = searchResults.state.peek().value;
});

export const currentResponse = computed<SearchResponse | null>(() => {
  const { value } = searchResults.state.value;
  return value === foreign.value ? null : value;
});
