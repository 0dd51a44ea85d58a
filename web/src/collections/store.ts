/** The collections of whoever asks. */
import { collections } from "../api/endpoints";
import { asApiError } from "../api/error";
import type { Collection, CollectionContent, CollectionItem } from "../api/types";
import { resource } from "../state/loading";
import { openedSession } from "../state/session";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { contentOf, plainItem, withSlides } from "./edit";

const words = strings.collections;
const CONFLICT = 409;

export const collectionList = resource(
  () => openedSession() && "collections",
  (_, signal) => collections.list(signal),
);

/** Make a collection; null when the server refused, which is told. */
export async function createCollection(name: string, items: CollectionItem[] = []): Promise<Collection | null> {
  return told(collections.create({ name, items }));
}

/** Change a collection; null when the server refused, as it does when somebody else changed it meanwhile. */
export async function changeCollection(
  collection: Collection,
  changes: Partial<Pick<CollectionContent, "name" | "items">>,
): Promise<Collection | null> {
  return told(collections.change(collection.collection_id, contentOf(collection, changes)));
}

/** Delete a collection, with the offer to undo that. */
export async function deleteCollection(collection: Collection): Promise<void> {
  const { collection_id, name, items } = collection;
  const deleted = await told(collections.remove(collection_id).then(() => true));
  if (!deleted) return;
  const undo = (): void => void createCollection(name, items.map(plainItem));
  toast(words.deleted(name), "info", { label: words.undo, run: undo });
}

/** Put slides of an archive into a collection. */
export async function addSlides(collection: Collection, archive: string, slideIds: readonly string[]): Promise<void> {
  const items = withSlides(
    collection.items.map(plainItem),
    slideIds.map((slide_id) => ({ archive, slide_id })),
  );
  const added = items.length - collection.items.length;
  if (added === 0) toast(words.allThere(collection.name));
  else if (await changeCollection(collection, { items })) toast(words.added(added, collection.name));
}

/** Tells what the server refused, and asks for the collections as they are now. */
async function told<Value>(asked: Promise<Value>): Promise<Value | null> {
  try {
    return await asked;
  } catch (thrown) {
    const error = asApiError(thrown);
    toast(error.status === CONFLICT ? words.changedMeanwhile : error.message, "error");
    return null;
  } finally {
    collectionList.reload();
  }
}
