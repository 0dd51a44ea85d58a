/** Notes that were typed and are not saved yet, and what becomes of them when the collection changed meanwhile. */
import type { CollectionItem } from "../api/types";
import { LONGEST_NOTE, sameSlide } from "./edit";

/**
 * base: the saved note when typing began; text: what the field shows; problem: why the last try to save it failed,
 * null before one failed.
 */
export interface Draft {
  readonly collectionId: string;
  readonly archive: string;
  readonly slide_id: string;
  readonly base: string;
  readonly text: string;
  readonly problem: string | null;
}

export type Drafts = readonly Draft[];
export type NotePlace = Pick<Draft, "collectionId" | "archive" | "slide_id">;

/** What is to be done with a draft: it is saved already, is to be saved, or another text was saved meanwhile. */
export type Outcome = "same" | "save" | "conflict";

/** What would be saved of a draft. */
export function noteOf({ text }: Draft): string {
  return text.trim().slice(0, LONGEST_NOTE);
}

/** What to do with a draft when the collection has a note: the draft wins only over the note that it began with. */
export function outcomeOf(draft: Draft, saved: string): Outcome {
  if (noteOf(draft) === saved) return "same";
  return draft.base === saved ? "save" : "conflict";
}

export function samePlace(a: NotePlace, b: NotePlace): boolean {
  return a.collectionId === b.collectionId && sameSlide(a, b);
}

export function draftOf(drafts: Drafts, place: NotePlace): Draft | null {
  return drafts.find((draft) => samePlace(draft, place)) ?? null;
}

/** The drafts with another text at a place whose saved note is `saved`; without one when the text is that. */
export function withTyped(drafts: Drafts, place: NotePlace, text: string, saved: string): Drafts {
  const current = draftOf(drafts, place);
  if (text === saved) return drafts.filter((draft) => draft !== current);
  if (current) return drafts.map((draft) => (draft === current ? { ...draft, text } : draft));
  const { collectionId, archive, slide_id } = place;
  return [...drafts, { collectionId, archive, slide_id, base: saved, text, problem: null }];
}

/** The items with the drafts of their collection that may be saved; null when none changes anything. */
export function withDrafts(items: readonly CollectionItem[], drafts: Drafts): CollectionItem[] | null {
  let changed = false;
  const merged = items.map((item) => {
    const draft = drafts.find((one) => sameSlide(one, item));
    if (!draft || outcomeOf(draft, item.note ?? "") !== "save") return item;
    changed = true;
    return { ...item, note: noteOf(draft) };
  });
  return changed ? merged : null;
}

/**
 * The drafts after `sent` ones were taken and the collection has `items`: those that were saved are gone; one that was
 * typed on meanwhile begins with what was saved.
 */
export function afterSaving(drafts: Drafts, sent: Drafts, items: readonly CollectionItem[]): Drafts {
  return drafts.flatMap((draft) => {
    const before = draftOf(sent, draft);
    const saved = items.find((item) => sameSlide(item, draft))?.note ?? "";
    if (!before || !items.some((item) => sameSlide(item, draft))) return [draft];
    if (outcomeOf(draft, saved) === "same") return [];
    return [{ ...draft, base: noteOf(before) === saved ? saved : draft.base, problem: null }];
  });
}
