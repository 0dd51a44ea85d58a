/** A collection with its slides. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { collections } from "../api/endpoints";
import type { Collection, CollectionItem } from "../api/types";
import { downloadFrom } from "../export/download";
import { printPage } from "../export/print";
import { go } from "../state/navigation";
import { useResource } from "../state/resource";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { Menu } from "../ui/menu";
import { ErrorPanel, Note } from "../ui/status";
import { MakeWorklist } from "../worklists/make-worklist";
import { CollectionSlide } from "./collection-slide";
import { LONGEST_NAME, type OpenCollection, plainItem, withInserted, withMoved, withoutSlide } from "./edit";
import { ShareDialog } from "./share-dialog";
import { slideKey, slidesOfItems } from "./slides";
import { changeCollection, deleteCollection, leaveCollection, waitForChanges } from "./store";

const words = strings.collections;

export function CollectionDetail({ collection }: { collection: OpenCollection }): JSX.Element {
  const items = collection.items.map(plainItem);
  const places = items.map(({ archive, slide_id }) => ({ archive, slide_id, note: "" }));
  const { value: slides, error, reload } = useResource(places, slidesOfItems);
  const list = useRef<HTMLOListElement>(null);
  const focusAt = useFocusAfterRemoval(list, items.length);
  const change = (edit: (now: CollectionItem[]) => CollectionItem[]): void =>
    void changeCollection(collection.collection_id, (now) => ({ items: edit(now.items.map(plainItem)) }));
  return (
    <section aria-label={collection.name}>
      <Head collection={collection} />
      {error && <ErrorPanel error={error} onRetry={reload} />}
      {items.length === 0 && <Note>{words.empty}</Note>}
      <ol ref={list} class="collections-slides">
        {items.map((item, at) => (
          <CollectionSlide
            key={slideKey(item)}
            collectionId={collection.collection_id}
            item={item}
            slide={slides?.get(slideKey(item)) ?? null}
            missing={slides !== null && !slides.has(slideKey(item))}
            fixed={collection.access === "read"}
            first={at === 0}
            last={at === items.length - 1}
            onMove={(by) => change((now) => withMoved(now, item, by))}
            onRemove={() => {
              focusAt(at);
              void remove(collection, item, at);
            }}
          />
        ))}
      </ol>
    </section>
  );
}

/** Take a slide out, with the offer to put it back where it was. */
async function remove({ collection_id }: Collection, item: CollectionItem, at: number): Promise<void> {
  const removed = await changeCollection(collection_id, ({ items }) => ({
    items: withoutSlide(items.map(plainItem), item),
  }));
  if (!removed) return;
  const putBack = (): void =>
    void changeCollection(collection_id, ({ items }) => ({ items: withInserted(items.map(plainItem), item, at) }));
  toast(words.removed(item.slide_id), "info", { label: words.undo, run: putBack });
}

/** When the slide with the focus is taken out, the one in its place has it. */
function useFocusAfterRemoval(list: { readonly current: HTMLElement | null }, count: number): (at: number) => void {
  const place = useRef<number | null>(null);
  useEffect(() => {
    const at = place.current;
    place.current = null;
    if (at === null || document.activeElement !== document.body) return;
    list.current?.children[Math.min(at, count - 1)]?.querySelector<HTMLElement>("[data-remove]")?.focus();
  }, [list, count]);
  return (at) => {
    place.current = at;
  };
}

function Head({ collection }: { collection: OpenCollection }): JSX.Element {
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
            {collection.access !== "read" && (
              <IconButton
                icon="edit"
                class="screen-only"
                label={words.rename}
                onClick={() => {
                  renaming.value = true;
                }}
              />
            )}
          </h2>
        )}
        <p class="faint">{words.facts(collection.items.length, changed)}</p>
        {collection.access !== "own" && (
          <p class="faint">
            {words.sharedBy(collection.owner)}
            {collection.access === "read" && `. ${words.readOnly}`}
          </p>
        )}
      </div>
      <div class="collections-tools screen-only">
        <MakeWorklist slides={collection.items.map(({ archive, slide_id }) => ({ archive, slide_id }))} />
        <ExportMenu collection={collection} />
        {collection.access === "own" ? (
          <OwnerTools collection={collection} />
        ) : (
          <Button icon="logOut" onClick={() => void leave(collection)}>
            {words.leave}
          </Button>
        )}
      </div>
    </header>
  );
}

function OwnerTools({ collection }: { collection: Collection }): JSX.Element {
  const sharing = useSignal(false);
  const setSharing = (open: boolean): void => {
    sharing.value = open;
  };
  return (
    <>
      <Button icon="link" onClick={() => setSharing(true)}>
        {words.share}
      </Button>
      <ShareDialog collection={collection} open={sharing.value} onClose={() => setSharing(false)} />
      <Button kind="danger" icon="trash" onClick={() => void removeWhole(collection)}>
        {words.remove}
      </Button>
    </>
  );
}

async function leave(collection: Collection): Promise<void> {
  go({ collection: null }, "replace");
  await leaveCollection(collection);
}

async function removeWhole(collection: Collection): Promise<void> {
  go({ collection: null }, "replace");
  await deleteCollection(collection);
}

function Rename({ collection, onDone }: { collection: Collection; onDone: () => void }): JSX.Element {
  const name = useSignal(collection.name);
  const rename = (event: Event): void => {
    event.preventDefault();
    const text = name.value.trim();
    if (text && text !== collection.name) void changeCollection(collection.collection_id, () => ({ name: text }));
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
        { label: exported.csv, run: () => void exportAs(collection_id, "csv") },
        { label: exported.json, run: () => void exportAs(collection_id, "json") },
        { label: exported.print, icon: "print", run: () => void printPage() },
      ]}
    />
  );
}

/** The server makes the file, so what was changed here has to be there first. */
async function exportAs(collectionId: string, format: "csv" | "json"): Promise<void> {
  await waitForChanges();
  downloadFrom(collections.exportUrl(collectionId, format));
}
