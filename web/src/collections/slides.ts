/** What archives know of the slides of a collection. */
import { path, request } from "../api/client";
import type { CollectionItem, Page, Slide } from "../api/types";
import { idsAmong } from "../search/conditions";
import { splitIntoChunks } from "./chunks";

// A condition may have 2,000 characters; an id has up to 200, and quotes and commas besides.
const MOST_CHARACTERS = 1900;
const AROUND_ID = 4;
const MOST_A_PAGE = 1000;

/** Slides by archive and id. */
export type KnownSlides = ReadonlyMap<string, Slide>;

export function slideKey({ archive, slide_id }: Pick<CollectionItem, "archive" | "slide_id">): string {
  return JSON.stringify([archive, slide_id]);
}

/** The slides of items, without those that are in no archive any more. */
export async function slidesOfItems(items: readonly CollectionItem[], signal: AbortSignal): Promise<KnownSlides> {
  const slides = new Map<string, Slide>();
  for (const archive of new Set(items.map((item) => item.archive))) {
    const ids = items.filter((item) => item.archive === archive).map(({ slide_id }) => slide_id);
    for (const chunk of splitIntoChunks(ids, (id) => id.length + AROUND_ID, MOST_CHARACTERS)) {
      const parameters = { where: idsAmong(chunk), limit: MOST_A_PAGE };
      const page = await request<Page<Slide>>("GET", path`archives/${archive}/slides`, { parameters, signal });
      for (const slide of page.items) slides.set(slideKey({ archive, slide_id: slide.slide_id }), slide);
    }
  }
  return slides;
}
