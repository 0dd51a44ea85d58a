/** A collection with its slides. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { collections } from "../api/endpoints";
import type { Collection, CollectionItem } from "../api/types";
import { printPage } from "../export/print";
import { useResource } from "../state/loading";
import { go } from "../state/navigation";
import { openedSession } from "../state/session";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { Menu } from "../ui/menu";
import { ErrorPanel, Note } from "../ui/status";
import { CollectedSlide } from "./collected-slide";
import { LONGEST_NAME, plainItem, withInserted, withMoved, withNote, withoutSlide } from "./edit";
import { slideKey, slidesOfItems } from "./slides";
import { changeCollection, collectionList, deleteCollection } from "./store";

const words = strings.collections;

export function OneCollection({ collection }: { collection: Collection }): JSX.Element {
  const items = collection.items.map(plainItem);
  const places = items.map(({ archive, slide_id }) => ({ archive, slide_id, note: "" }));
  const { value: known, error, reload } = useResource(places, slidesOfItems);
  const list = useRef<HTMLOListElement>(null);
  const change = (changed: CollectionItem[]) => changeCollection(collection, { items: changed });
  return (
    <section aria-label={collection.name}>
      <Head collection={collection} />
      {error && <ErrorPanel error={error} onRetry={reload} />}
      {items.length === 0 && <Note>{words.empty}</Note>}
      <ol ref={list} class="collections-slides">
        {items.map((item, at) => (
          <CollectedSlide
            key={slideKey(item)}
            item={item}
            slide={known?.get(slideKey(item)) ?? null}
            missing={known !== null && !known.has(slideKey(item))}
            first={at === 0}
            last={at === items.length - 1}
            onNote={(note) => void change(withNote(items, item, note))}
            onMove={(by) => void change(withMoved(items, item, by))}
            onRemove={() => void remove(collection, item, at)}
          />
        ))}
      </ol>
    </section>
  );
}

/** Take a slide out, with the offer to put it back where it was. */
async function remove(collection: Collection, item: CollectionItem, at: number): Promise<void> {
  const left = withoutSlide(collection.items.map(plainItem), item);
  if (!(await changeCollection(collection, { items: left }))) return;
  const putBack = (): void => {
    const now = collectionList.state.peek().value?.find((one) => one.collection_id === collection.collection_id);
    if (now) void changeCollection(now, { items: withInserted(now.items.map(plainItem), item, at) });
  };
  toast(words.removed(item.slide_id), "info", { label: words.undo, run: putBack });
}

function Head({ collection }: { collection: Collection }): JSX.Element {
  const renaming = useSignal(false);
  const changed = new Date(collection.updated).toLocaleString();
  return (
    <header class="collections-head">
      <div>
        {renaming.value ? (
          <Rename
            collection={collection}
            onDone={() => {
              renaming.value = false;
            }}
          />
        ) : (
          <h2>
            {collection.name}
            <IconButton
              icon="edit"
              class="screen-only"
              label={words.rename}
              onClick={() => {
                renaming.value = true;
              }}
            />
          </h2>
        )}
        <p class="faint">{words.facts(collection.items.length, changed)}</p>
        <p class="print-only">{openedSession()?.disclaimer}</p>
        <p class="print-only">{words.printed(new Date().toLocaleString())}</p>
      </div>
      <div class="collections-tools screen-only">
        <ExportMenu collection={collection} />
        <Button kind="danger" icon="trash" onClick={() => void removeWhole(collection)}>
          {words.remove}
        </Button>
      </div>
    </header>
  );
}

async function removeWhole(collection: Collection): Promise<void> {
  go({ collection: null }, "replace");
  await deleteCollection(collection);
}

function Rename({ collection, onDone }: { collection: Collection; onDone: () => void }): JSX.Element {
  const name = useSignal(collection.name);
  const rename = (event: Event): void => {
    event.preventDefault();
    const given = name.value.trim();
    if (given && given !== collection.name) void changeCollection(collection, { name: given });
    onDone();
  };
  return (
    <form class="collections-rename" onSubmit={rename} onKeyDown={(event) => event.key === "Escape" && onDone()}>
      <input
        class="input"
        aria-label={words.newName}
        maxLength={LONGEST_NAME}
        value={name.value}
        ref={focusWhenShown}
        onInput={(event) => {
          name.value = event.currentTarget.value;
        }}
      />
      <Button type="submit" kind="primary">
        {words.rename}
      </Button>
      <Button onClick={onDone}>{strings.app.cancel}</Button>
    </form>
  );
}

function focusWhenShown(field: HTMLInputElement | null): void {
  if (field && document.activeElement === document.body) field.select();
}

function ExportMenu({ collection }: { collection: Collection }): JSX.Element {
  const { collection_id } = collection;
  const exported = strings.export;
  return (
    <Menu
      label={exported.title}
      icon="download"
      items={[
        { label: exported.csv, run: () => location.assign(collections.exportUrl(collection_id, "csv")) },
        { label: exported.json, run: () => location.assign(collections.exportUrl(collection_id, "json")) },
        { label: exported.print, icon: "print", run: () => void printPage() },
      ]}
    />
  );
}
