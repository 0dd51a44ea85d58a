/** The collections of whoever asks, and changes to them, one after the other. */
import { effect, signal, untracked } from "@preact/signals";
import { collections } from "../api/endpoints";
import { type ApiError, asApiError } from "../api/error";
import type {
  Collection,
  CollectionContent,
  CollectionItem,
  CollectionSharing,
  CollectionSlide,
  CollectionSlidePage,
} from "../api/types";
import { resource } from "../state/resource";
import { currentSession } from "../state/session";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { contentOf, type OpenCollection, plainItem, withSlides } from "./edit";

/** items: its slides, null until they were asked for. */
export interface KnownCollection extends Collection {
  readonly items: readonly CollectionSlide[] | null;
}

const words = strings.collections;
const CONFLICT = 409;
const NOT_FOUND = 404;
/** Somebody else changed the collection, or deleted it: what it is now is worth asking for. */
const CHANGED_ELSEWHERE: ReadonlySet<number> = new Set([CONFLICT, NOT_FOUND]);
const MOST_TRIES = 3;

/** The collections as the server has them when it is asked. */
export const collectionList = resource(
  () => currentSession() && "collections",
  (_, signal) => collections.list(signal),
);

/** The collections as they are now, with the changes made here; null until they are known. */
export const collectionsNow = signal<readonly KnownCollection[] | null>(null);
effect(() => {
  // Without an answer what was known stays on the page.
  const { value } = collectionList.state.value;
  if (value) untracked(() => takeList(value));
});

/** Take what the server lists; slides that were shown stay until those of the new version have come. */
function takeList(listed: readonly Collection[]): void {
  const known = new Map((collectionsNow.peek() ?? []).map((one) => [one.collection_id, one]));
  const stale = listed.filter(({ collection_id, version }) => {
    const before = known.get(collection_id);
    return before?.items && before.version !== version;
  });
  collectionsNow.value = listed.map((head) => {
    const before = known.get(head.collection_id);
    if (stale.includes(head) && before) return before;
    return { ...head, items: before?.items ?? null };
  });
  for (const { collection_id } of stale)
    reloadCollection(collection_id).catch((thrown) => showError(asApiError(thrown)));
}

/** Ask for a collection with its slides as it is on the server; null where it is there no more. */
async function reloadCollection(collectionId: string): Promise<OpenCollection | null> {
  try {
    return putKnown(await collections.get(collectionId), await slidesOf(collectionId));
  } catch (thrown) {
    if (asApiError(thrown).status !== NOT_FOUND) throw thrown;
    collectionsNow.value = (collectionsNow.peek() ?? []).filter((one) => one.collection_id !== collectionId);
    return null;
  }
}

/** A collection with its slides, those that are known or else the server's; null where there is none. */
export function openCollection(collectionId: string): Promise<OpenCollection | null> | OpenCollection | null {
  const known = knownCollection(collectionId);
  return known && isOpen(known) ? known : known && reloadCollection(collectionId);
}

export function isOpen(collection: KnownCollection): collection is OpenCollection {
  return collection.items !== null;
}

/** All slides of a collection, of one version. */
async function slidesOf(collectionId: string): Promise<readonly CollectionSlide[]> {
  for (let tries = 1; ; tries += 1) {
    try {
      const items: CollectionSlide[] = [];
      let after: string | null = null;
      do {
        const page: CollectionSlidePage = await collections.slides(collectionId, after);
        items.push(...page.items);
        after = page.next ?? null;
      } while (after !== null);
      return items;
    } catch (thrown) {
      if (asApiError(thrown).status !== CONFLICT || tries === MOST_TRIES) throw thrown;
    }
  }
}

/** What a change makes of the items, or the name, that a collection has when its turn comes; null: nothing is to do. */
export type Change = (collection: OpenCollection) => Partial<Pick<CollectionContent, "name" | "items">> | null;

let last: Promise<unknown> = Promise.resolve();

/** Make a collection; null, with a toast, when the server refused. */
export async function createCollection(name: string, items: CollectionItem[] = []): Promise<Collection | null> {
  const made = await withErrorToast(() => collections.create({ name, items }));
  if (made) noteCollection(made);
  return made;
}

/** Put a collection on the list of this page. */
export function noteCollection(collection: Collection): void {
  const others = (collectionsNow.peek() ?? []).filter((one) => one.collection_id !== collection.collection_id);
  collectionsNow.value = [...others, { ...collection, items: null }];
}

/**
 * Change a collection, after the changes before: each starts with what the one before left, and with what somebody
 * else made of the collection in the meantime. Null, with a toast, when the server refused.
 */
export function changeCollection(collectionId: string, change: Change): Promise<OpenCollection | null> {
  return withErrorToast(() => tryChange(collectionId, change));
}

/**
 * The same, but throws ApiError when the server refused; null when there is no such collection. leaving: the page may
 * be closed before the answer comes.
 */
export function tryChange(collectionId: string, change: Change, leaving = false): Promise<OpenCollection | null> {
  const turn = last.then(() => applyChange(collectionId, change, leaving));
  last = turn.catch(() => undefined);
  return turn;
}

/** Waits for the changes that were asked for. */
export async function waitForChanges(): Promise<void> {
  await last;
}

/** Delete a collection, with the offer to undo that. */
export async function deleteCollection({ collection_id, name }: Collection): Promise<void> {
  await last;
  const items = (await withErrorToast(async () => openCollection(collection_id)))?.items;
  if (!items) return;
  const deleted = await withErrorToast(() => collections.remove(collection_id).then(() => true));
  if (!deleted) return;
  collectionsNow.value = (collectionsNow.peek() ?? []).filter((one) => one.collection_id !== collection_id);
  const undo = (): void => void createCollection(name, items.map(plainItem));
  toast(words.deleted(name), "info", { label: words.undo, run: undo });
}

/** Share a collection with these colleagues and nobody else; whether the server took it. */
export async function shareCollection(collectionId: string, sharing: CollectionSharing): Promise<boolean> {
  await last;
  const shared = await withErrorToast(() => collections.share(collectionId, sharing));
  if (shared) {
    const items = knownCollection(collectionId)?.items ?? null;
    collectionsNow.value = (collectionsNow.peek() ?? []).map((one) =>
      one.collection_id === collectionId ? { ...shared, items } : one,
    );
  }
  return shared !== null;
}

/** Take a collection that somebody shares off the list. */
export async function leaveCollection({ collection_id, name }: Collection): Promise<void> {
  await last;
  const left = await withErrorToast(() => collections.leave(collection_id).then(() => true));
  if (!left) return;
  collectionsNow.value = (collectionsNow.peek() ?? []).filter((one) => one.collection_id !== collection_id);
  toast(words.left(name));
}

/** Put slides of an archive into a collection. */
export async function addSlides(collection: Collection, archive: string, slideIds: readonly string[]): Promise<void> {
  const slides = slideIds.map((slide_id) => ({ archive, slide_id }));
  let added = 0;
  const changed = await changeCollection(collection.collection_id, ({ items }) => {
    const more = withSlides(items.map(plainItem), slides);
    added = more.length - items.length;
    return added ? { items: more } : null;
  });
  if (changed) toast(added ? words.added(added, collection.name) : words.allThere(collection.name));
}

async function applyChange(collectionId: string, change: Change, leaving: boolean): Promise<OpenCollection | null> {
  for (let tries = 1; ; tries += 1) {
    const found = openCollection(collectionId);
    // Whoever leaves the page waits for nothing that is known.
    const collection = found instanceof Promise ? await found : found;
    const changes = collection && change(collection);
    if (!collection || !changes) return collection;
    try {
      const changed = await collections.change(collectionId, contentOf(collection, changes), leaving);
      // The server may have taken names of persons out of notes.
      return putKnown(changed, await slidesOf(collectionId));
    } catch (thrown) {
      if (!CHANGED_ELSEWHERE.has(asApiError(thrown).status) || tries === MOST_TRIES) throw thrown;
      await reloadCollection(collectionId);
    }
  }
}

function putKnown(head: Collection, items: readonly CollectionSlide[]): OpenCollection {
  const before = knownCollection(head.collection_id);
  if (before && isOpen(before) && before.version > head.version) return before;
  const open = { ...head, items };
  collectionsNow.value = (collectionsNow.peek() ?? []).map((one) =>
    one.collection_id === open.collection_id ? open : one,
  );
  return open;
}

function knownCollection(collectionId: string): KnownCollection | null {
  return collectionsNow.peek()?.find((one) => one.collection_id === collectionId) ?? null;
}

/** Tells what the server refused, and asks for the collections as they are there. */
async function withErrorToast<Value>(ask: () => Promise<Value>): Promise<Value | null> {
  try {
    return await ask();
  } catch (thrown) {
    showError(asApiError(thrown));
    collectionList.reload();
    return null;
  }
}

function showError(error: ApiError): void {
  toast(error.status === CONFLICT ? words.changedMeanwhile : error.message, "error");
}
