/** Saves typed notes, keeps those that could not be saved, and warns before the page is left with some. */
import { effect, signal, untracked } from "@preact/signals";
import { asApiError } from "../api/error";
import { currentSession } from "../state/session";
import { announce } from "../state/toasts";
import { strings } from "../strings";
import {
  afterSaving,
  type Draft,
  type Drafts,
  draftOf,
  type NotePlace,
  outcomeOf,
  samePlace,
  withDrafts,
  withTyped,
} from "./drafts";
import { plainItem, sameSlide } from "./edit";
import { collectionsNow, type KnownCollection, tryChange } from "./store";

/** Notes that differ from what is known to be saved. */
export const unsavedNotes = signal<Drafts>([]);

/** Keep what a field shows; `saved` is the note that the collection has. */
export function typeNote(place: NotePlace, text: string, saved: string): void {
  unsavedNotes.value = withTyped(unsavedNotes.peek(), place, text, saved);
}

/** Forget a typed note. */
export function discardNote(place: NotePlace): void {
  unsavedNotes.value = unsavedNotes.peek().filter((draft) => !samePlace(draft, place));
}

/** Save a typed note over one that somebody else wrote meanwhile. */
export function overwriteNote(place: NotePlace, theirs: string): Promise<void> {
  unsavedNotes.value = unsavedNotes
    .peek()
    .map((draft) => (samePlace(draft, place) ? { ...draft, base: theirs } : draft));
  return saveNotes(place.collectionId);
}

/** Typed notes of slides, or collections, that are there no more. */
export function orphanedNotes(): Drafts {
  if (!collectionsNow.value) return [];
  return unsavedNotes.value.filter((draft) => isKnown(draft) && savedNoteAt(draft) === null);
}

/** Whether it is known what the collection of a place has, or that there is none. */
function isKnown(place: NotePlace): boolean {
  return collectionAt(place)?.items !== null;
}

function collectionAt(place: NotePlace): KnownCollection | undefined {
  return collectionsNow.value?.find(({ collection_id }) => collection_id === place.collectionId);
}

/** The note that a collection has at a place; null: it has no such slide. */
function savedNoteAt(place: NotePlace): string | null {
  const item = collectionAt(place)?.items?.find((one) => sameSlide(one, place));
  return item ? (item.note ?? "") : null;
}

let saving = 0;

/** Save the typed notes of a collection; leaving: the page may be closed before the answer comes. */
export async function saveNotes(collectionId: string, leaving = false): Promise<void> {
  let sent: Drafts = [];
  saving += 1;
  try {
    const saved = await tryChange(
      collectionId,
      ({ items }) => {
        sent = draftsOf(collectionId);
        const merged = withDrafts(items.map(plainItem), sent);
        return merged && { items: merged };
      },
      leaving,
    );
    if (saved) unsavedNotes.value = afterSaving(unsavedNotes.peek(), sent, saved.items);
  } catch (thrown) {
    failed(sent, asApiError(thrown).message);
    return;
  } finally {
    saving -= 1;
  }
  retryFailed();
}

function draftsOf(collectionId: string): Drafts {
  return unsavedNotes.peek().filter((draft) => draft.collectionId === collectionId);
}

function failed(sent: Drafts, problem: string): void {
  const hit = (draft: Draft): boolean => draftOf(sent, draft) !== null;
  unsavedNotes.value = unsavedNotes.peek().map((draft) => (hit(draft) ? { ...draft, problem } : draft));
  if (sent.length) announce(strings.collections.notSaved(problem));
}

function saveAll(leaving: boolean): void {
  for (const id of new Set(unsavedNotes.peek().map(({ collectionId }) => collectionId))) void saveNotes(id, leaving);
}

/** Try again what failed, once something else has succeeded. */
function retryFailed(): void {
  if (saving > 0) return;
  const failures = unsavedNotes.peek().filter((draft) => draft.problem !== null && canBeSaved(draft));
  for (const id of new Set(failures.map(({ collectionId }) => collectionId))) void saveNotes(id);
}

function canBeSaved(draft: Draft): boolean {
  const saved = savedNoteAt(draft);
  return saved !== null && outcomeOf(draft, saved) !== "conflict";
}

effect(() => {
  if (collectionsNow.value) untracked(retryFailed);
});

// Collections and notes are their writer's alone: whoever opens the next session on this page does not see them.
let writer: string | null = null;
effect(() => {
  const name = currentSession()?.name ?? null;
  if (name === null || name === writer) return;
  if (writer !== null) {
    unsavedNotes.value = [];
    collectionsNow.value = null;
  }
  writer = name;
});

addEventListener("online", () => retryFailed());
addEventListener("pagehide", () => saveAll(true));
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") saveAll(true);
});
addEventListener("beforeunload", (event) => {
  if (!unsavedNotes.peek().length) return;
  event.preventDefault();
  saveAll(true);
});
