/** Collections: named lists of slides with notes. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { collections } from "../api/endpoints";
import type { Collection } from "../api/types";
import { go, hrefTo, placeOfReader, route } from "../state/navigation";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { CollectionDetail } from "./collection-detail";
import { NewCollectionForm } from "./new-collection-form";
import { OrphanedNotes } from "./orphaned-notes";
import { collectionList, collectionsNow, createCollection, isOpen, noteCollection, openCollection } from "./store";
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
        {value && <Names listed={value} />}
        <NewCollectionForm onName={create} />
      </nav>
      <div class="collections-open">
        <OrphanedNotes />
        {open &&
          (isOpen(open) ? (
            <CollectionDetail key={open.collection_id} collection={open} />
          ) : (
            <Opening id={open.collection_id} />
          ))}
        {value && !open && route.value.collection && <Unlisted key={route.value.collection} />}
        {value && !open && !route.value.collection && <Note>{value.length ? words.choose : words.none}</Note>}
      </div>
    </div>
  );
}

const NOT_FOUND = 404;

/** A collection that is not on the list, of which a link tells: once it is known it is on the list of this page. */
function Unlisted(): JSX.Element {
  const { value, error, reload } = useResource(route.value.collection, collections.get);
  useEffect(() => {
    if (value) noteCollection(value);
  }, [value]);
  if (error?.status === NOT_FOUND) return <Note kind="warning">{words.notYours}</Note>;
  return error ? <ErrorPanel error={error} onRetry={reload} /> : <Spinner />;
}

/** A collection of the list whose slides are on their way. */
function Opening({ id }: { id: string }): JSX.Element {
  const { error, reload } = useResource(id, async (key) => openCollection(key));
  return error ? <ErrorPanel error={error} onRetry={reload} /> : <Spinner />;
}

function Names({ listed }: { listed: readonly Collection[] }): JSX.Element {
  return (
    <ul>
      {listed.map(({ collection_id, name, slides, owner, access, sharing }) => (
        <li key={collection_id}>
          <a
            href={hrefTo({ collection: collection_id })}
            aria-current={route.value.collection === collection_id ? "page" : undefined}
          >
            <span>
              {name}
              {access !== "own" && <span class="collections-by">{words.sharedBy(owner)}</span>}
              {(sharing?.everybody || Boolean(sharing?.people.length)) && (
                <span class="collections-by">{words.shared}</span>
              )}
            </span>
            <span class="faint">{words.count(slides)}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

async function create(name: string): Promise<boolean> {
  const from = placeOfReader();
  const made = await createCollection(name);
  if (made && placeOfReader() === from) go({ collection: made.collection_id });
  return made !== null;
}
