/** The collections of whoever asks, and changes to them, one after the other. */
import { effect, signal } from "@preact/signals";
import { collections } from "../api/endpoints";
import { type ApiError, asApiError } from "../api/error";
import type { Collection, CollectionContent, CollectionItem, CollectionSharing } from "../api/types";
import { resource } from "../state/resource";
import { currentSession } from "../state/session";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { contentOf, plainItem, withSlides } from "./edit";

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
export const collectionsNow = signal<readonly Collection[] | null>(null);

effect(() => {
  // Without an answer what was known stays on the page.
  const { value } = collectionList.state.value;
  if (value) collectionsNow.value = value;
});

/** What a change makes of the items, or the name, that a collection has when its turn comes; null: nothing is to do. */
export type Change = (collection: Collection) => Partial<Pick<CollectionContent, "name" | "items">> | null;

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
  collectionsNow.value = [...others, collection];
}

/**
 * Change a collection, after the changes before: each starts with what the one before left, and with what somebody
 * else made of the collection in the meantime. Null, with a toast, when the server refused.
 */
export function changeCollection(collectionId: string, change: Change): Promise<Collection | null> {
  return withErrorToast(() => tryChange(collectionId, change));
}

/**
 * The same, but throws ApiError when the server refused; null when there is no such collection. leaving: the page may
 * be closed before the answer comes.
 */
export function tryChange(collectionId: string, change: Change, leaving = false): Promise<Collection | null> {
  const turn = last.then(() => applyChange(collectionId, change, leaving));
  last = turn.catch(() => undefined);
  return turn;
}

/** Waits for the changes that were asked for. */
export async function waitForChanges(): Promise<void> {
  await last;
}

/** Delete a collection, with the offer to undo that. */
export async function deleteCollection({ collection_id, name, items }: Collection): Promise<void> {
  await last;
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
  if (shared) replaceKnown(shared);
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
  const added = withSlides(collection.items.map(plainItem), slides).length - collection.items.length;
  if (added === 0) {
    toast(words.allThere(collection.name));
    return;
  }
  const changed = await changeCollection(collection.collection_id, ({ items }) => ({
    items: withSlides(items.map(plainItem), slides),
  }));
  if (changed) toast(words.added(added, collection.name));
}

async function applyChange(collectionId: string, change: Change, leaving: boolean): Promise<Collection | null> {
  for (let tries = 1; ; tries += 1) {
    const collection = knownCollection(collectionId);
    const changes = collection && change(collection);
    if (!collection || !changes) return collection;
    try {
      const changed = await collections.change(collectionId, contentOf(collection, changes), leaving);
      replaceKnown(changed);
      return changed;
    } catch (thrown) {
      if (!CHANGED_ELSEWHERE.has(asApiError(thrown).status) || tries === MOST_TRIES) throw thrown;
      collectionsNow.value = await collections.list();
    }
  }
}

function replaceKnown(changed: Collection): void {
  collectionsNow.value = (collectionsNow.peek() ?? []).map((one) =>
    one.collection_id === changed.collection_id ? changed : one,
  );
}

function knownCollection(collectionId: string): Collection | null {
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
