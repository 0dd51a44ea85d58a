/** The collections of whoever asks, and changes to them, one after the other. */
import { effect, signal } from "@preact/signals";
import { collections } from "../api/endpoints";
import { type ApiError, asApiError } from "../api/error";
import type { Collection, CollectionContent, CollectionItem } from "../api/types";
import { resource } from "../state/loading";
import { openedSession } from "../state/session";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { contentOf, plainItem, withSlides } from "./edit";

const words = strings.collections;
const CONFLICT = 409;

/** The collections as the server has them when it is asked. */
export const collectionList = resource(
  () => openedSession() && "collections",
  (_, signal) => collections.list(signal),
);

/** The collections as they are now, with the changes made here; null until they are known. */
export const collectionsNow = signal<readonly Collection[] | null>(null);

effect(() => {
  const { value, error } = collectionList.state.value;
  if (value || error) collectionsNow.value = value;
});

/** What a change makes of the items, or the name, that a collection has when its turn comes. */
export type Change = (collection: Collection) => Partial<Pick<CollectionContent, "name" | "items">>;

let last: Promise<unknown> = Promise.resolve();

/** Make a collection; null when the server refused, which is told. */
export async function createCollection(name: string, items: CollectionItem[] = []): Promise<Collection | null> {
  const made = await told(() => collections.create({ name, items }));
  if (made) collectionsNow.value = [...(collectionsNow.peek() ?? []), made];
  return made;
}

/**
 * Change a collection, after the changes before: each starts with what the one before left. Null when the server
 * refused, as it does when somebody else changed the collection in the meantime.
 */
export function changeCollection(collectionId: string, change: Change): Promise<Collection | null> {
  const turn = last.then(() => changedNow(collectionId, change));
  last = turn;
  return turn;
}

/** Delete a collection, with the offer to undo that. */
export async function deleteCollection({ collection_id, name, items }: Collection): Promise<void> {
  await last;
  const deleted = await told(() => collections.remove(collection_id).then(() => true));
  if (!deleted) return;
  collectionsNow.value = (collectionsNow.peek() ?? []).filter((one) => one.collection_id !== collection_id);
  const undo = (): void => void createCollection(name, items.map(plainItem));
  toast(words.deleted(name), "info", { label: words.undo, run: undo });
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

async function changedNow(collectionId: string, change: Change): Promise<Collection | null> {
  const now = collectionsNow.peek() ?? [];
  const collection = now.find((one) => one.collection_id === collectionId);
  if (!collection) return null;
  const changed = await told(() => collections.change(collectionId, contentOf(collection, change(collection))));
  if (changed) collectionsNow.value = now.map((one) => (one === collection ? changed : one));
  return changed;
}

/** Tells what the server refused, and asks for the collections as they are there. */
async function told<Value>(ask: () => Promise<Value>): Promise<Value | null> {
  try {
    return await ask();
  } catch (thrown) {
    tell(asApiError(thrown));
    collectionList.reload();
    return null;
  }
}

function tell(error: ApiError): void {
  toast(error.status === CONFLICT ? words.changedMeanwhile : error.message, "error");
}
