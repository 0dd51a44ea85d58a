import type { JSX } from "preact";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Note } from "../ui/status";
import { discardNote, orphanedNotes } from "./unsaved-notes";

const words = strings.collections;

/** Typed notes whose slides were taken out elsewhere before they were saved: to be copied, then discarded. */
export function OrphanedNotes(): JSX.Element | null {
  const notes = orphanedNotes();
  if (!notes.length) return null;
  return (
    <Note kind="warning">
      <p>{words.homeless}</p>
      {notes.map((draft) => (
        <div key={`${draft.collectionId} ${draft.archive} ${draft.slide_id}`} class="collections-homeless">
          <textarea class="input" readOnly rows={2} aria-label={words.noteOf(draft.slide_id)} value={draft.text} />
          <Button onClick={() => discardNote(draft)}>{words.discard(draft.slide_id)}</Button>
        </div>
      ))}
    </Note>
  );
}
