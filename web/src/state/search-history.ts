/** The last searches of this tab; they go when it is closed. */
import { signal } from "@preact/signals";
import { keepList, OURS, recallList } from "./tab-storage";

/** href: leads to the same search; label, filters: what was asked, in words; results: how many its page has. */
export interface PastSearch {
  readonly href: string;
  readonly label: string;
  readonly filters: string;
  readonly archive: string;
  readonly at: string;
  readonly results: number;
}

const KEY = `${OURS}searches`;
const MOST = 50;

export const pastSearches = signal<readonly PastSearch[]>(recallList(KEY));

/** Note a search, the latest first; the same search again takes its former place away. */
export function noteSearch(search: PastSearch): void {
  pastSearches.value = withSearch(pastSearches.peek(), search);
  keepList(KEY, pastSearches.value);
}

export function forgetSearches(): void {
  pastSearches.value = [];
  sessionStorage.removeItem(KEY);
}

/** Searches with one more, the latest first, each address once. */
export function withSearch(searches: readonly PastSearch[], search: PastSearch): readonly PastSearch[] {
  return [search, ...searches.filter((one) => one.href !== search.href)].slice(0, MOST);
}
