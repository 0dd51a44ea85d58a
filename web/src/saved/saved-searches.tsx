/** Saved searches: what is new in each, and the way to it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { FieldFilter, Query, SavedSearch } from "../api/types";
import { hrefTo } from "../state/navigation";
import { describeFilters } from "../state/query-descriptions";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { routeOf } from "./requests";
import { countNew, findNews, lookForNews, markSeen, removeSaved, renameSaved, savedList } from "./store";
import "./saved.css";

const words = strings.saved;

export function SavedSearches(): JSX.Element {
  const { value, error, loading } = savedList.state.value;
  useEffect(() => savedList.reload(), []);
  useEffect(() => {
    const giveUp = new AbortController();
    if (value) void lookForNews(value, giveUp.signal);
    return () => giveUp.abort();
  }, [value]);
  return (
    <section aria-labelledby="saved-title" aria-busy={loading}>
      <h2 id="saved-title">{words.title}</h2>
      {error && <ErrorPanel error={error} onRetry={savedList.reload} />}
      {!value && loading && <Spinner />}
      {value?.length === 0 && <Note>{words.none}</Note>}
      <ul class="row-list">
        {value?.map((saved) => (
          <Row key={saved.search_id} saved={saved} />
        ))}
      </ul>
    </section>
  );
}

function Row({ saved }: { saved: SavedSearch }): JSX.Element {
  const renaming = useSignal(false);
  const rename = (name: string | null): void => {
    renaming.value = false;
    if (name && name !== saved.name) void renameSaved(saved, name);
  };
  const { archive, name, seen } = saved;
  return (
    <li class="row">
      <div class="row-what">
        {renaming.value ? (
          <Rename name={name} onDone={rename} />
        ) : (
          <h3>
            <a href={hrefTo(routeOf(saved))} onClick={() => void markSeen(saved)}>
              {name}
            </a>
          </h3>
        )}
        <p>{describe(saved)}</p>
        <p class="faint">{`${archive}. ${words.lastSeen(new Date(seen).toLocaleString())}`}</p>
      </div>
      <div class="saved-end">
        <Fresh saved={saved} />
        <IconButton
          icon="edit"
          label={words.rename(name)}
          onClick={() => {
            renaming.value = true;
          }}
        />
        <IconButton icon="trash" label={words.remove(name)} onClick={() => void removeSaved(saved)} />
      </div>
    </li>
  );
}

function Fresh({ saved }: { saved: SavedSearch }): JSX.Element {
  const count = countNew(saved);
  if (count === "unknown") return <Button onClick={() => void findNews(saved)}>{words.notAsked}</Button>;
  if (count === null) return <span class="faint">{words.unknown}</span>;
  return count ? <strong class="saved-fresh">{words.fresh(count)}</strong> : <span>{words.nothingNew}</span>;
}

function Rename({ name, onDone }: { name: string; onDone: (name: string | null) => void }): JSX.Element {
  const text = useSignal(name);
  const submit = (event: Event): void => {
    event.preventDefault();
    onDone(text.value.trim());
  };
  return (
    <form class="saved-rename" onSubmit={submit} onKeyDown={(event) => event.key === "Escape" && onDone(null)}>
      <input
        class="input"
        aria-label={words.name}
        value={text.value}
        ref={focusWhenShown}
        onInput={(event) => {
          text.value = event.currentTarget.value;
        }}
      />
      <Button type="submit" kind="primary">
        {strings.collections.rename}
      </Button>
      <Button onClick={() => onDone(null)}>{strings.app.cancel}</Button>
    </form>
  );
}

function focusWhenShown(field: HTMLInputElement | null): void {
  if (field && document.activeElement === document.body) field.select();
}

/** The question and its filters in words. */
function describe({ search, browse }: SavedSearch): string {
  const asked = (search ?? browse ?? {}) as { query?: Query; filters?: FieldFilter[]; where?: string | null };
  const filters = [describeFilters(asked.filters ?? []), asked.where].filter(Boolean).join("; ");
  const what = asked.query ? describeQuestionOf(asked.query) : words.everything;
  return filters ? words.withFilters(what, filters) : what;
}

function describeQuestionOf(query: Query): string {
  if (query.kind === "text") return query.text;
  if (query.kind === "case" && query.case_id) return strings.queries.case(query.case_id);
  return words.question[query.kind];
}
