import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { CollectDialog } from "../collections/add-dialog";
import { ActiveFilters, clearFilters } from "../facets/active-filters";
import { FacetsPanel } from "../facets/facets-panel";
import { ToFilters } from "../facets/to-filters";
import { SaveSearch } from "../saved/save-search";
import { Welcome } from "../search/welcome";
import { archive } from "../state/archives";
import { fieldTitle } from "../state/field-titles";
import { type ListRef, selectAt, useDigits } from "../state/list-selection";
import { route, show } from "../state/navigation";
import { useShortcuts } from "../state/shortcuts";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Checkbox } from "../ui/field";
import { ErrorPanel, Spinner } from "../ui/status";
import { firstPage, listed, moreState, showMore } from "./listing";
import { columnsOf, isTable, order, setOrder, shownColumns, sortableOf, toggleColumn } from "./order";
import { SelectionBar } from "./selection-bar";
import { SlideCard } from "./slide-card";
import { SlideTable } from "./slide-table";
import "./browse.css";

const words = strings.browse;
const FILTERS = "browse-filters";

/** Where the list was scrolled to when it was left, to come back to. */
let scrolledTo = 0;

/** The archive's slides where nothing is asked. */
export function BrowseView(): JSX.Element {
  const main = useRef<HTMLElement>(null);
  const { loading, value, error } = firstPage.state.value;
  useKeptPlace(main);
  useSelectingKeys(main);
  return (
    <div class="browse">
      <div id={FILTERS} class="browse-filters screen-only" tabIndex={-1}>
        <FacetsPanel />
      </div>
      <section ref={main} class="browse-main" aria-label={words.title} aria-busy={loading}>
        <Head total={value?.total ?? null} />
        <ActiveFilters />
        {error && <ErrorPanel error={error} onRetry={firstPage.reload} />}
        {!value && loading && <Spinner />}
        {value && (value.total ? <List loading={loading} /> : <Nothing />)}
        <SelectionBar known={listed.value} />
      </section>
      <CollectDialog />
    </div>
  );
}

function useSelectingKeys(main: ListRef): void {
  useDigits(main);
  const listedKeys = useMemo(
    () => [{ key: "1", label: words.selectKey, run: () => selectAt(main.current, 0, false) }],
    [main],
  );
  useShortcuts(listedKeys);
}

function useKeptPlace(main: { current: HTMLElement | null }): void {
  useLayoutEffect(() => {
    const element = main.current;
    const frame = requestAnimationFrame(() => element?.scrollTo({ top: scrolledTo }));
    const keep = (): void => {
      scrolledTo = element?.scrollTop ?? 0;
    };
    element?.addEventListener("scroll", keep, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      element?.removeEventListener("scroll", keep);
    };
  }, []);
}

function Head({ total }: { total: number | null }): JSX.Element {
  const { filters, settings } = route.value;
  const isNarrowed = filters.length > 0 || settings.where !== null;
  return (
    <header class="browse-head">
      <h1>{total === null ? words.title : words.total(total, isNarrowed)}</h1>
      <div class="browse-tools screen-only">
        <ToFilters of={FILTERS} />
        <SortChoice />
        <Button pressed={!isTable.value} onClick={() => show("as", null)}>
          {words.grid}
        </Button>
        <Button pressed={isTable.value} onClick={() => show("as", "table")}>
          {words.asTable}
        </Button>
        {isTable.value && <ColumnChoice />}
        {isNarrowed && <SaveSearch />}
      </div>
    </header>
  );
}

function SortChoice(): JSX.Element | null {
  const info = archive.value;
  if (!info) return null;
  const { sort, descending } = order.value;
  return (
    <>
      <select
        class="select"
        aria-label={words.sortBy}
        value={sort}
        onChange={(event) => setOrder({ sort: event.currentTarget.value, descending })}
      >
        {sortableOf(info).map((name) => (
          <option key={name} value={name}>
            {fieldTitle(name)}
          </option>
        ))}
      </select>
      <Button
        icon={descending ? "down" : "up"}
        aria-label={descending ? words.descending : words.ascending}
        title={descending ? words.descending : words.ascending}
        onClick={() => setOrder({ sort, descending: !descending })}
      />
    </>
  );
}

function ColumnChoice(): JSX.Element | null {
  const info = archive.value;
  if (!info) return null;
  return (
    <details class="browse-columns">
      <summary class="button">{words.columns}</summary>
      <div class="browse-column-list">
        {columnsOf(info).map((name) => (
          <Checkbox
            key={name}
            label={fieldTitle(name)}
            checked={shownColumns.value.includes(name)}
            onChange={() => toggleColumn(name)}
          />
        ))}
      </div>
    </details>
  );
}

function List({ loading }: { loading: boolean }): JSX.Element {
  const slides = listed.value;
  const ids = slides.map(({ slide_id }) => slide_id);
  const more = moreState.value;
  return (
    <div class={loading ? "browse-stale" : undefined}>
      {isTable.value ? (
        <SlideTable slides={slides} listed={ids} />
      ) : (
        <ul class="browse-grid">
          {slides.map((slide) => (
            <SlideCard key={slide.slide_id} slide={slide} listed={ids} />
          ))}
        </ul>
      )}
      {more.error && <ErrorPanel error={more.error} onRetry={() => void showMore()} />}
      {more.next !== null && (
        <Button class="browse-more screen-only" icon="down" disabled={more.loading} onClick={() => void showMore()}>
          {words.more}
        </Button>
      )}
      <WhatCanBeAsked />
    </div>
  );
}

/** Examples are searched for, which takes the server more than the list: only once somebody wants to see them. */
function WhatCanBeAsked(): JSX.Element {
  const [wasOpened, setOpened] = useState(false);
  return (
    <details class="browse-examples screen-only" onToggle={() => setOpened(true)}>
      <summary>{words.examples}</summary>
      {wasOpened && <Welcome />}
    </details>
  );
}

function Nothing(): JSX.Element {
  const { filters, settings } = route.value;
  const isNarrowed = filters.length > 0 || settings.where !== null;
  return (
    <div class="panel browse-nothing">
      <h2>{isNarrowed ? words.nothing : words.empty}</h2>
      {isNarrowed && <Button onClick={clearFilters}>{strings.facets.clear}</Button>}
    </div>
  );
}
