/** What is being asked: the draft in the field, which follows the address and leads to the next question. */
import { batch, computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { typing } from "../api/endpoints";
import { asApiError } from "../api/error";
import type { FieldFilter, ImageQuery, Query, Understanding } from "../api/types";
import { archiveName } from "../state/archives";
import { ask, go, NEW_QUESTION, placeOfReader, route } from "../state/navigation";
import { resource } from "../state/resource";
import type { SearchSettings } from "../state/route";
import { searchResults } from "../state/search-results";
import { toast } from "../state/toasts";
import { type Draft, draftOf, EMPTY_DRAFT, queryOf, typedText, type Words, withoutArchived } from "./draft";
import { type Change, withFilter, withoutFilter } from "./readings";

export const draft = signal<Draft>(EMPTY_DRAFT);

/** A typed text with what it was understood as. */
export interface Understood {
  readonly text: string;
  readonly understanding: Understanding;
}

const asked = computed(() => JSON.stringify([archiveName.value, route.value.query, route.value.filters]));
const last = signal<{ readonly of: string; readonly understood: Understood } | null>(null);

/** The words of the address, read anew where they were not typed in this page. */
const reread = resource(
  () => {
    const { query } = route.value;
    const words = query?.kind === "text" || query?.kind === "composed" ? typedText(query) : "";
    const isKnown = last.value?.of === asked.value;
    return words && archiveName.value && !isKnown ? { archive: archiveName.value, text: words } : null;
  },
  async ({ archive, text }, abort) => ({ text, understanding: await typing.understand(archive, text, abort) }),
);

/** What the question of the address was understood as; null where it has no words, or while that is not known. */
export const understood = computed<Understood | null>(() => {
  if (last.value?.of === asked.value) return last.value.understood;
  const { value, loading } = reread.state.value;
  return loading ? null : value;
});

/** The filters and the condition that the text of the field stands for: its chips show them. */
export const typedNarrowing = computed(() => {
  const { parts = [], where = null } = understood.value?.understanding ?? {};
  return { filters: parts.flatMap(({ reading }) => reading.filter ?? []), where };
});

const addressQuery = computed(() => JSON.stringify(route.value.query));

effect(() => {
  draft.value = draftOf(JSON.parse(addressQuery.value) as Query | null, draft.peek());
});

// Slides of one archive can't be asked with in another, but for those of the address, which are of the archive named
// there; what the first archive to be known is asked is no change.
let draftedFor = "";
effect(() => {
  const name = archiveName.value;
  const { query } = route.peek();
  if (draftedFor && name !== draftedFor) {
    draft.value = query ? draftOf(query, draft.peek()) : withoutArchived(draft.peek());
  }
  draftedFor = name;
});

/** Change some of the draft. */
export function changeDraft(part: Partial<Draft>): void {
  draft.value = { ...draft.peek(), ...part };
}

/** Ask what is drafted, with further filters; what is typed is understood first. */
export async function submitDraft(filters: readonly FieldFilter[] = route.peek().filters): Promise<void> {
  const { text, image, report, reportOf } = draft.peek();
  const typed = text.trim();
  if (!typed) {
    const isAsked = image || report || reportOf || route.peek().query || filters !== route.peek().filters;
    if (isAsked) askFor({ text: "", without: "" }, filters);
    return;
  }
  const from = placeOfReader();
  try {
    const understanding = await typing.understand(await whenNamed(archiveName), typed);
    if (draft.peek().text.trim() === typed && placeOfReader() === from) take({ text: typed, understanding }, filters);
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}

/** A name once it is known: what is typed while the page still loads is asked then. */
async function whenNamed(name: ReadonlySignal<string>): Promise<string> {
  let stop = (): void => undefined;
  const known = await new Promise<string>((resolve) => {
    stop = name.subscribe((now) => {
      if (now) resolve(now);
    });
  });
  stop();
  return known;
}

/** Take a typed text as it was understood: open the slide that it names, or ask. */
function take(taken: Understood, filters: readonly FieldFilter[]): void {
  const { query, filters: meant, where, slide_id } = taken.understanding;
  const { image, report } = draft.peek();
  if (slide_id && !image && !report) {
    changeDraft({ text: "" });
    openSlide(slide_id);
    return;
  }
  if (query?.kind === "report") changeDraft({ report: query.text ?? "", reportOf: "", text: "" });
  if (query?.kind === "composed" && !image) changeDraft({ image: query.image });
  const ofWords = query?.kind === "report" ? null : query;
  const words = { text: ofWords?.text ?? "", without: ofWords?.without ?? "" };
  batch(() => {
    askFor(words, meant.reduce(withFilter, [...filters]), where);
    last.value = { of: asked.value, understood: taken };
  });
}

/** Ask with the draft's image or report, words and filters; without a question slides are listed. */
function askFor(words: Words, filters: readonly FieldFilter[], where: string | null = null): void {
  const query = queryOf(draft.peek(), words);
  const { settings } = route.peek();
  const both = where && settings.where && settings.where !== where;
  const narrowed = both ? `(${settings.where}) AND ${where}` : (where ?? settings.where);
  go({ ...NEW_QUESTION, query, filters, settings: { ...settings, verbatim: false, where: narrowed } });
  if (!query) changeDraft({ text: "" });
  if (searchResults.state.peek().error) searchResults.reload();
}

/** Look at a slide by itself. */
export function openSlide(slideId: string): void {
  go({ ...NEW_QUESTION, view: "compare", query: null, selected: slideId });
}

/** Ask with a part of the text taken otherwise. */
export function applyChange({ text, add, remove }: Change): void {
  const { filters } = route.peek();
  const kept = remove ? withoutFilter(filters, remove) : filters;
  changeDraft({ text, report: "" });
  void submitDraft(add ? withFilter(kept, add) : [...kept]);
}

/** Ask without the image, the report or the words; what is left is asked, or nothing. */
export function withoutPart(part: Partial<Draft>): void {
  changeDraft(part);
  void submitDraft([...route.peek().filters]);
}

/** Choose an image, and ask with it at once, with the words that are typed. */
export function chooseImage(image: ImageQuery): void {
  changeDraft({ image, report: "", reportOf: "" });
  void submitDraft();
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
