/** The results, with keys to go through them. */
import { effect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Result, SearchResponse } from "../api/types";
import { openAddDialog } from "../collections/add-dialog";
import { itemsIn, type ListRef, selectAt, useDigits } from "../state/list-selection";
import { route } from "../state/navigation";
import { useShortcuts } from "../state/shortcuts";
import { strings } from "../strings";
import { FieldCard } from "./field-card";
import { groupByLabel } from "./groups";
import { pressMark } from "./judgements";
import { placeAfterKey } from "./keys";
import { isGrouped, layout } from "./layout";
import { attended } from "./query-field";
import { ResultItem } from "./result-item";

const words = strings.results.keys;
const groupWords = strings.results.groups;

export function ResultList({ response }: { response: SearchResponse }): JSX.Element {
  const list = useRef<HTMLDivElement>(null);
  const lastAt = useRef(-1);
  useListKeys(list);
  useDigits(list);
  useKeptFocus(list, lastAt, response);
  useTopOfPage(list, response);
  const asGrid = layout.value === "grid" || response.query.to === "regions";
  const column = response.vote?.label_column ?? response.calibrated_for ?? "diagnosis";
  const groups = isGrouped.value
    ? groupByLabel(response.results, column)
    : [{ label: null, results: response.results }];
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys, focus and pointer of the results in it come up to here.
    // biome-ignore lint/a11y/useKeyWithMouseEvents: focus does the same, below.
    <div
      ref={list}
      class="results-groups"
      onFocusIn={() => {
        lastAt.current = focusedAt(list.current);
        attended.value = rankAt(document.activeElement);
      }}
      onMouseOver={(event) => {
        attended.value = rankAt(event.target) ?? attended.peek();
      }}
      onKeyDown={(event) => onArrow(event, list.current)}
    >
      {groups.map(({ label, results }) => (
        <section key={label ?? ""}>
          {isGrouped.value && <h2 class="results-group">{groupWords.heading(label, column, results.length)}</h2>}
          <ol class={asGrid ? "results-list results-fields" : "results-list"}>
            {results.map((result) => (
              <Item key={result.rank} result={result} response={response} asGrid={asGrid} />
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}

interface ItemProps {
  readonly result: Result;
  readonly response: SearchResponse;
  readonly asGrid: boolean;
}

function Item({ result, response, asGrid }: ItemProps): JSX.Element {
  const slideIds = response.results.map(({ slide_id }) => slide_id);
  const props = { result, calibratedFor: response.calibrated_for, slideIds };
  return asGrid ? <FieldCard {...props} /> : <ResultItem {...props} />;
}

function rankAt(target: EventTarget | null): number | null {
  const item = target instanceof Element ? target.closest<HTMLElement>("[data-rank]") : null;
  return item ? Number(item.dataset.rank) : null;
}

function focusedAt(list: HTMLElement | null): number {
  return itemsIn(list).findIndex((item) => item.contains(document.activeElement));
}

function focusOn(list: HTMLElement | null, at: number): void {
  const item = itemsIn(list)[at];
  item?.querySelector<HTMLElement>("[data-result]")?.focus();
  item?.scrollIntoView({ block: "nearest" });
}

function onArrow(event: KeyboardEvent, list: HTMLElement | null): void {
  const items = itemsIn(list);
  const to = placeAfterKey(event.key, focusedAt(list), items.length, columnsOf(items));
  if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  focusOn(list, to);
}

/** How many items are in the first row. */
function columnsOf(items: readonly HTMLElement[]): number {
  const top = items[0]?.offsetTop;
  return Math.max(1, items.filter(({ offsetTop }) => offsetTop === top).length);
}

function useListKeys(list: ListRef): void {
  const shortcuts = useMemo(() => {
    const move = (by: number) => (): void => focusOn(list.current, Math.max(0, focusedAt(list.current) + by));
    const onSlide = (act: (slideId: string) => void) => (): void => {
      const slideId = itemsIn(list.current)[focusedAt(list.current)]?.dataset.slide;
      if (slideId) act(slideId);
    };
    return [
      { key: "j", label: words.next, run: move(1) },
      { key: "k", label: words.previous, run: move(-1) },
      { key: "1", label: words.select, run: () => selectAt(list.current, 0, false) },
      { key: "c", label: words.collect, run: onSlide((slideId) => openAddDialog([slideId])) },
      { key: "y", label: words.relevant, run: onSlide((slideId) => pressMark(slideId, "relevant")) },
      { key: "x", label: words.irrelevant, run: onSlide((slideId) => pressMark(slideId, "irrelevant")) },
    ];
  }, [list]);
  useShortcuts(shortcuts);
}

/** Another question, or another page of results, begins at its top; who asked for more goes on with its first. */
function useTopOfPage(list: ListRef, response: SearchResponse): void {
  const page = `${response.query_key} ${response.results[0]?.rank}`;
  const lastPage = useRef(page);
  useEffect(() => {
    if (lastPage.current === page) return;
    lastPage.current = page;
    const askedForMore = document.activeElement?.closest(".results-pages") !== null;
    // What scrolls is the column, and on small screens the page.
    for (const scrolls of [".results-main", ".app"]) list.current?.closest(scrolls)?.scrollTo({ top: 0 });
    if (askedForMore) focusOn(list.current, 0);
  }, [list, page]);
}

/** The slide that was compared last: the address of the results does not have it. */
let lastSelected: string | null = null;
effect(() => {
  lastSelected = route.value.selected ?? lastSelected;
});

/** Whoever comes back from a slide finds it; when the one with the focus is gone, the one in its place has it. */
function useKeptFocus(list: ListRef, lastAt: { current: number }, response: SearchResponse): void {
  useEffect(() => {
    const at = itemsIn(list.current).findIndex((item) => item.dataset.slide === lastSelected);
    if (at < 0) return;
    // After the page has put the focus on the view; never away from a field.
    const frame = requestAnimationFrame(() => {
      if (document.activeElement?.matches("body, main")) focusOn(list.current, at);
    });
    return () => cancelAnimationFrame(frame);
  }, [list]);
  useEffect(() => {
    if (lastAt.current < 0 || document.activeElement !== document.body) return;
    focusOn(list.current, Math.min(lastAt.current, itemsIn(list.current).length - 1));
  }, [list, lastAt, response]);
}
