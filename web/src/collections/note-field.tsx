/** The note on a collected slide, and what became of it when it could not be saved. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { type Draft, draftOf, type NotePlace, outcomeOf } from "./drafts";
import { LONGEST_NOTE } from "./edit";
import { discardNote, overwriteNote, saveNotes, typeNote, unsavedNotes } from "./unsaved-notes";

const words = strings.collections;

export interface NoteFieldProps {
  readonly place: NotePlace;
  /** The note that the collection has. */
  readonly note: string;
}

/** A note is saved when its field is left. */
export function NoteField({ place, note }: NoteFieldProps): JSX.Element {
  const field = useRef<HTMLTextAreaElement>(null);
  const about = useId();
  const draft = draftOf(unsavedNotes.value, place);
  const text = draft?.text ?? note;
  const save = (): void => {
    if (draftOf(unsavedNotes.peek(), place)) void saveNotes(place.collectionId);
  };
  // Fields that are taken off the page are not told that they lose the focus.
  useEffect(() => save, []);
  const trouble = draft && <Trouble draft={draft} note={note} onDone={() => field.current?.focus()} />;
  const inTrouble = draft !== null && (draft.problem !== null || outcomeOf(draft, note) === "conflict");
  return (
    <>
      <textarea
        ref={field}
        class="input collections-note screen-only"
        rows={1}
        maxLength={LONGEST_NOTE}
        aria-label={words.noteOf(place.slide_id)}
        aria-describedby={inTrouble ? about : undefined}
        placeholder={words.note}
        value={text}
        onInput={(event) => typeNote(place, event.currentTarget.value, note)}
        onBlur={save}
      />
      <div id={about}>{trouble}</div>
      {text && <p class="print-only collections-printed">{words.noted(text)}</p>}
    </>
  );
}

interface TroubleProps {
  readonly draft: Draft;
  readonly note: string;
  /** Told before the buttons go away, for the focus to stay in the page. */
  readonly onDone: () => void;
}

function Trouble({ draft, note, onDone }: TroubleProps): JSX.Element | null {
  const chosen = (choose: () => void) => () => {
    onDone();
    choose();
  };
  if (outcomeOf(draft, note) === "conflict") {
    return (
      <Unsaved text={note ? words.noteConflict(note) : words.noteDeleted}>
        <Button onClick={chosen(() => void overwriteNote(draft, note))}>{words.keepMine}</Button>
        <Button onClick={chosen(() => discardNote(draft))}>{words.takeTheirs}</Button>
      </Unsaved>
    );
  }
  if (draft.problem === null) return null;
  return (
    <Unsaved text={words.notSaved(draft.problem)}>
      <Button onClick={chosen(() => void saveNotes(draft.collectionId))}>{strings.errors.retry}</Button>
    </Unsaved>
  );
}

function Unsaved({ text, children }: { text: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class="collections-unsaved">
      <p>{text}</p>
      {children}
    </div>
  );
}
