import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { archiveName } from "../state/archives";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Field } from "../ui/field";
import { Spinner } from "../ui/status";
import { LONGEST_NAME } from "./edit";
import { addSlides, collectionsNow, createCollection } from "./store";
import "./collections.css";

const words = strings.collections;

export interface AddDialogProps {
  /** The slides to add; null: the dialog is closed. */
  readonly slideIds: readonly string[] | null;
  readonly onClose: () => void;
}

/** Asks which collection slides are to be put into, the latest one first. */
export function AddDialog({ slideIds, onClose }: AddDialogProps): JSX.Element {
  return (
    <Dialog open={slideIds !== null} title={words.addTitle(slideIds?.length ?? 0)} onClose={onClose}>
      {slideIds && <Choices slideIds={slideIds} onDone={onClose} />}
    </Dialog>
  );
}

function Choices({ slideIds, onDone }: { slideIds: readonly string[]; onDone: () => void }): JSX.Element {
  const known = collectionsNow.value;
  const choices = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // After the dialog has opened, which puts the focus on its first button.
    const frame = requestAnimationFrame(() => choices.current?.querySelector<HTMLElement>("button, input")?.focus());
    return () => cancelAnimationFrame(frame);
  }, [known === null]);
  const newestFirst = [...(known ?? [])].sort((a, b) => b.updated.localeCompare(a.updated));
  return (
    <div ref={choices} class="collections-choices">
      {!known && <Spinner />}
      {newestFirst.map((collection) => (
        <Button
          key={collection.collection_id}
          onClick={() => {
            onDone();
            void addSlides(collection, archiveName.peek(), slideIds);
          }}
        >
          <span>{collection.name}</span>
          <span class="faint">{words.count(collection.items.length)}</span>
        </Button>
      ))}
      <NewCollection slideIds={slideIds} onDone={onDone} />
    </div>
  );
}

function NewCollection({ slideIds, onDone }: { slideIds: readonly string[]; onDone: () => void }): JSX.Element {
  const name = useSignal("");
  const create = async (event: Event): Promise<void> => {
    event.preventDefault();
    const given = name.value.trim();
    if (!given) return;
    onDone();
    const items = slideIds.map((slide_id) => ({ archive: archiveName.peek(), slide_id, note: "" }));
    if (await createCollection(given, items)) toast(words.added(items.length, given));
  };
  return (
    <form class="collections-new" onSubmit={create}>
      <Field label={words.newName}>
        {(id) => (
          <input
            id={id}
            class="input"
            maxLength={LONGEST_NAME}
            autocomplete="off"
            value={name.value}
            onInput={(event) => {
              name.value = event.currentTarget.value;
            }}
          />
        )}
      </Field>
      <Button type="submit" kind="primary" disabled={!name.value.trim()}>
        {words.create}
      </Button>
    </form>
  );
}
