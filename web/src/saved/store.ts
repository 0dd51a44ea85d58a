/** The saved searches of whoever asks, and what is new in them. */
import { signal } from "@preact/signals";
import { savedSearches } from "../api/endpoints";
import type { SavedSearch, SavedSearchContent, SearchNews } from "../api/types";
import { resource } from "../state/resource";
import { currentSession } from "../state/session";
import { orToast, toast } from "../state/toasts";
import { strings } from "../strings";

const words = strings.saved;

export const savedList = resource(
  () => currentSession()?.name ?? null,
  (_, signal) => savedSearches.list(signal),
);

/** News by the id of their search, as far as they were asked for; null: they can't be found any more. */
export const newsOf = signal<ReadonlyMap<string, SearchNews | null>>(new Map());

/** Questions that are searched for news by themselves when the list is shown; each of the others waits for a click. */
const MOST_SEARCHED = 10;

/** How many slides are new; "unknown" until that was asked for, null where it can't be found any more. */
export function countNew(saved: SavedSearch, news = newsOf.value): number | "unknown" | null {
  const known = news.get(saved.search_id);
  if (known !== undefined) return known?.count ?? null;
  return saved.new ?? (saved.browse ? null : "unknown");
}

/** Look for news of the first questions, one after the other, so that nobody has to wait for these searches. */
export async function lookForNews(list: readonly SavedSearch[], giveUp: AbortSignal): Promise<void> {
  for (const saved of list.filter(({ search }) => search).slice(0, MOST_SEARCHED)) {
    if (!newsOf.peek().has(saved.search_id)) await findNews(saved, giveUp);
    if (giveUp.aborted) return;
  }
}

/** Ask for the news of a search. */
export async function findNews({ search_id }: SavedSearch, giveUp?: AbortSignal): Promise<SearchNews | null> {
  try {
    const news = await savedSearches.news(search_id, giveUp);
    note(search_id, news);
    return news;
  } catch {
    if (!giveUp?.aborted) note(search_id, null);
    return null;
  }
}

/** Say that the news of a search are looked at. */
export async function markSeen(saved: SavedSearch): Promise<void> {
  const known = newsOf.peek().get(saved.search_id) ?? (saved.new ? await findNews(saved) : null);
  if (!known?.count) return;
  const { as_of, slide_ids } = known;
  await orToast(() => savedSearches.seen(saved.search_id, { as_of, slide_ids }));
  forget(saved.search_id);
  savedList.reload();
}

/** Save a search; whether the server did. */
export async function saveSearch(content: SavedSearchContent): Promise<boolean> {
  const made = await orToast(() => savedSearches.save(content));
  if (!made) return false;
  savedList.reload();
  toast(words.saved(made.name));
  return true;
}

export async function renameSaved({ search_id }: SavedSearch, name: string): Promise<void> {
  await orToast(() => savedSearches.rename(search_id, name));
  savedList.reload();
}

/** Delete a search, with the offer to undo that; what is new is then counted from the undoing. */
export async function removeSaved(saved: SavedSearch): Promise<void> {
  const { search_id, archive, name } = saved;
  if (!(await orToast(() => savedSearches.remove(search_id).then(() => true)))) return;
  forget(search_id);
  savedList.reload();
  const again = { archive, name, search: saved.search, browse: saved.browse } as SavedSearchContent;
  toast(words.removed(name), "info", { label: words.undo, run: () => void saveSearch(again) });
}

function note(searchId: string, news: SearchNews | null): void {
  newsOf.value = new Map([...newsOf.peek(), [searchId, news]]);
}

function forget(searchId: string): void {
  newsOf.value = new Map([...newsOf.peek()].filter(([key]) => key !== searchId));
}
