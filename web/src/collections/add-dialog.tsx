import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { archiveName } from "../state/archives";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Spinner } from "../ui/status";
import { NewCollectionForm } from "./new-collection-form";
import { addSlides, collectionsNow, createCollection } from "./store";
import "./collections.css";

const words = strings.collections;

/** The slides that are about to be put into a collection; null: none are. */
const slidesToAdd = signal<readonly string[] | null>(null);

/** Ask which collection slides of the archive are to be put into. */
export function openAddDialog(slideIds: readonly string[]): void {
  slidesToAdd.value = slideIds;
}

/** Asks which collection slides are to be put into, the latest one first; once in a view. */
export function CollectDialog(): JSX.Element {
  const slideIds = slidesToAdd.value;
  const close = (): void => {
    slidesToAdd.value = null;
  };
  return (
    <Dialog open={slideIds !== null} title={words.addTitle(slideIds?.length ?? 0)} onClose={close}>
      {slideIds && <Choices slideIds={slideIds} onDone={close} />}
    </Dialog>
  );
}

function Choices({ slideIds, onDone }: { slideIds: readonly string[]; onDone: () => void }): JSX.Element {
  const collections = collectionsNow.value;
  const choices = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // After the dialog has opened, which puts the focus on its first button.
    const frame = requestAnimationFrame(() => {
      if (!isTyping(choices.current)) choices.current?.querySelector<HTMLElement>("button, input")?.focus();
    });
    return () => cancelAnimationFrame(frame);
  }, [collections === null]);
  const editable = (collections ?? []).filter(({ access }) => access !== "read");
  const newestFirst = [...editable].sort((a, b) => b.updated.localeCompare(a.updated));
  return (
    <div ref={choices} class="collections-choices">
      {!collections && <Spinner />}
      {newestFirst.map((collection) => (
        <Button
          key={collection.collection_id}
          onClick={() => {
            onDone();
            void addSlides(collection, archiveName.peek(), slideIds);
          }}
        >
          <span>{collection.name}</span>
          <span class="faint">{words.count(collection.slides)}</span>
        </Button>
      ))}
      <NewCollection slideIds={slideIds} onDone={onDone} />
    </div>
  );
}

/** Whoever has begun to type keeps the focus, also when the list comes late. */
function isTyping(within: HTMLElement | null): boolean {
  const focused = document.activeElement;
  return focused instanceof HTMLInputElement && focused.value !== "" && within?.contains(focused) === true;
}

function NewCollection({ slideIds, onDone }: { slideIds: readonly string[]; onDone: () => void }): JSX.Element {
  const create = async (name: string): Promise<boolean> => {
    onDone();
    const items = slideIds.map((slide_id) => ({ archive: archiveName.peek(), slide_id, note: "" }));
    const made = await createCollection(name, items);
    if (made) toast(words.added(items.length, name));
    return made !== null;
  };
  return <NewCollectionForm kind="primary" onName={create} />;
}
