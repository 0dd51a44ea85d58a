/** What is being asked: the draft in the search bar, which follows the address and leads to the next one. */
import { computed, effect, signal } from "@preact/signals";
import type { ImageQuery, Query } from "../api/types";
import { archive, archiveName } from "../state/archives";
import { ask, go, route } from "../state/navigation";
import type { SearchSettings } from "../state/route";
import { searchResults } from "../state/search-results";
import { type Draft, draftWith, EMPTY_DRAFT, MODES, type Mode, modeOf, queryOf, withoutArchived } from "./draft";

export const draft = signal<Draft>(EMPTY_DRAFT);
export const mode = signal<Mode>("text");

/** The ways to ask that the archive understands. */
export const modes = computed<readonly Mode[]>(() => (archive.value?.reads_text === false ? ["slide"] : MODES));

/** What would be asked now, null while something is missing. */
export const draftQuery = computed<Query | null>(() => queryOf(draft.value, mode.value));

const addressQuery = computed(() => JSON.stringify(route.value.query));

effect(() => {
  const query = JSON.parse(addressQuery.value) as Query | null;
  if (!query) return;
  draft.value = draftWith(draft.peek(), query);
  mode.value = modeOf(query);
});

// Slides of one archive can't be asked with in another, but for those of the address, which are of the archive named
// there; what the first archive to be known is asked is no change.
let draftedFor = "";
effect(() => {
  const name = archiveName.value;
  const { query } = route.peek();
  if (draftedFor && name !== draftedFor) {
    const kept = withoutArchived(draft.peek());
    draft.value = query ? draftWith(kept, query) : kept;
  }
  draftedFor = name;
});

effect(() => {
  if (!modes.value.includes(mode.peek())) mode.value = "slide";
});

/** Change some of the draft. */
export function changeDraft(part: Partial<Draft>): void {
  draft.value = { ...draft.peek(), ...part };
}

/** Ask what is drafted. */
export function submitDraft(): void {
  const query = draftQuery.peek();
  if (query) runQuery(query);
}

/** Choose an image, and ask with it at once where nothing else is needed. */
export function chooseImage(image: ImageQuery): void {
  changeDraft({ image, like: "" });
  if (mode.peek() === "slide") submitDraft();
}

/** Ask something; asking the same again tries again where the last try failed. */
export function runQuery(query: Query): void {
  ask(query);
  if (searchResults.state.peek().error) searchResults.reload();
}

/** Change how is searched; the results begin with the first page again. */
export function changeSettings(part: Partial<SearchSettings>): void {
  go({ settings: { ...route.peek().settings, ...part }, page: 1 });
}
