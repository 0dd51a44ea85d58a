/** What archives know of the slides of a collection. */
import { slides } from "../api/endpoints";
import type { CollectionItem, Slide } from "../api/types";

/** Of a filter, as many as the server takes. */
const MOST_VALUES = 200;

/** Slides by archive and id. */
export type KnownSlides = ReadonlyMap<string, Slide>;

export function slideKey({ archive, slide_id }: Pick<CollectionItem, "archive" | "slide_id">): string {
  return JSON.stringify([archive, slide_id]);
}

/** The slides of items, without those that are in no archive any more. */
export async function slidesOfItems(items: readonly CollectionItem[], signal: AbortSignal): Promise<KnownSlides> {
  const known = new Map<string, Slide>();
  for (const archive of new Set(items.map((item) => item.archive))) {
    const ids = items.filter((item) => item.archive === archive).map(({ slide_id }) => slide_id);
    for (const slide of await slidesOfIds(archive, ids, signal)) known.set(slideKey({ ...slide, archive }), slide);
  }
  return known;
}

/** The slides of an archive that have one of these ids, in no order. */
export async function slidesOfIds(archive: string, ids: readonly string[], signal?: AbortSignal): Promise<Slide[]> {
  const found: Slide[] = [];
  for (let from = 0; from < ids.length; from += MOST_VALUES) {
    const values = ids.slice(from, from + MOST_VALUES);
    const request = { filters: [{ field: "slide_id", values }], limit: MOST_VALUES };
    found.push(...(await slides.list(archive, request, signal)).items);
  }
  return found;
}
