/** Collections: named lists of slides with notes. */
import type { JSX } from "preact";
import type { Collection } from "../api/types";
import { go, hrefTo, route } from "../state/navigation";
import { strings } from "../strings";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { CollectionDetail } from "./collection-detail";
import { NewCollectionForm } from "./new-collection-form";
import { OrphanedNotes } from "./orphaned-notes";
import { collectionList, collectionsNow, createCollection } from "./store";
import "./collections.css";

const words = strings.collections;

export function CollectionsView(): JSX.Element {
  const { error, loading } = collectionList.state.value;
  const value = collectionsNow.value;
  const open = value?.find(({ collection_id }) => collection_id === route.value.collection);
  return (
    <div class="collections">
      <nav class="collections-list screen-only" aria-label={words.title}>
        <h1>{words.title}</h1>
        {error && <ErrorPanel error={error} onRetry={collectionList.reload} />}
        {!value && loading && <Spinner />}
        {value && <Names collections={value} />}
        <NewCollectionForm onName={create} />
      </nav>
      <div class="collections-open">
        <OrphanedNotes />
        {open ? (
          <CollectionDetail key={open.collection_id} collection={open} />
        ) : (
          value && <Note>{value.length ? words.choose : words.none}</Note>
        )}
      </div>
    </div>
  );
}

function Names({ collections }: { collections: readonly Collection[] }): JSX.Element {
  return (
    <ul>
      {collections.map(({ collection_id, name, items }) => (
        <li key={collection_id}>
          <a
            href={hrefTo({ collection: collection_id })}
            aria-current={route.value.collection === collection_id ? "page" : undefined}
          >
            <span>{name}</span>
            <span class="faint">{words.count(items.length)}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

async function create(name: string): Promise<boolean> {
  const made = await createCollection(name);
  if (made) go({ collection: made.collection_id });
  return made !== null;
}
