/** The answer to show: that of the archive of the address, which may still be on its way. */
import { computed, effect, signal } from "@preact/signals";
import type { SearchResponse } from "../api/types";
import { archiveName } from "../state/archives";
import { found } from "../state/found";

/** What another archive answered. */
const foreign = signal<SearchResponse | null>(null);

effect(() => {
  archiveName.value;
  foreign.value = found.state.peek().value;
});

export const answer = computed<SearchResponse | null>(() => {
  const { value } = found.state.value;
  return value === foreign.value ? null : value;
});
