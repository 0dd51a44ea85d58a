import type { Collection, CollectionContent, CollectionItem, CollectionSlide } from "../api/types";

/** A collection with its slides. */
export interface OpenCollection extends Collection {
  readonly items: readonly CollectionSlide[];
}

type Items = readonly CollectionItem[];
type Named = Pick<CollectionItem, "archive" | "slide_id">;

/** As long as the server takes. */
export const LONGEST_NOTE = 2000;
export const LONGEST_NAME = 200;

/** A collected slide as it is sent. */
export function plainItem({ archive, slide_id, note }: CollectionItem): CollectionItem {
  return { archive, slide_id, note: note ?? "" };
}

/** What to send so that a collection holds other items or has another name. */
export function contentOf(collection: OpenCollection, changes: Partial<Pick<CollectionContent, "name" | "items">>) {
  const { name, items, version } = collection;
  return { name, items: items.map(plainItem), version, ...changes } satisfies CollectionContent;
}

export function sameSlide(a: Named, b: Named): boolean {
  return a.archive === b.archive && a.slide_id === b.slide_id;
}

export function holds(items: Items, slide: Named): boolean {
  return items.some((item) => sameSlide(item, slide));
}

/** The items with slides at the end that were not among them. */
export function withSlides(items: Items, slides: readonly Named[]): CollectionItem[] {
  const added = slides.filter(
    (slide, at) => !holds(items, slide) && slides.findIndex((s) => sameSlide(s, slide)) === at,
  );
  return [...items, ...added.map(({ archive, slide_id }) => ({ archive, slide_id, note: "" }))];
}

export function withoutSlide(items: Items, slide: Named): CollectionItem[] {
  return items.filter((item) => !sameSlide(item, slide));
}

/** The items with one moved by some places; at the ends it stays. */
export function withMoved(items: Items, slide: Named, by: number): CollectionItem[] {
  const from = items.findIndex((item) => sameSlide(item, slide));
  const moved = [...items];
  const [item] = from < 0 ? [] : moved.splice(from, 1);
  if (item) moved.splice(Math.max(0, Math.min(moved.length, from + by)), 0, item);
  return moved;
}

/** The items with one put in at a place, as undo does. */
export function withInserted(items: Items, item: CollectionItem, at: number): CollectionItem[] {
  if (holds(items, item)) return [...items];
  return [...items.slice(0, at), item, ...items.slice(at)];
}
