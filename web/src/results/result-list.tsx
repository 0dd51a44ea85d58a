/** The results, with keys to go through them. */
import { effect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { SearchResponse } from "../api/types";
import { openAddDialog } from "../collections/slides-to-add";
import { route } from "../state/navigation";
import { useShortcuts } from "../state/shortcuts";
import { strings } from "../strings";
import { FieldCard, fieldSizeOf } from "./field-card";
import { pressMark } from "./judgements";
import { placeAfterKey } from "./keys";
import { ResultItem } from "./result-item";

const words = strings.results.keys;

export function ResultList({ response }: { response: SearchResponse }): JSX.Element {
  const ofRegions = response.query.to === "regions";
  const sizeUm = ofRegions ? fieldSizeOf(response.results) : null;
  const list = useRef<HTMLOListElement>(null);
  const lastAt = useRef(-1);
  useListKeys(list);
  useKeptFocus(list, lastAt, response);
  useTopOfPage(list, response);
  return (
    <ol
      ref={list}
      class={ofRegions ? "results-list results-fields" : "results-list"}
      onFocusIn={() => {
        lastAt.current = focusedAt(list.current);
      }}
      onKeyDown={(event) => onArrow(event, list.current)}
    >
      {response.results.map((result) =>
        ofRegions ? (
          <FieldCard key={result.rank} result={result} sizeUm={sizeUm} />
        ) : (
          <ResultItem key={result.slide_id} result={result} calibratedFor={response.calibrated_for} />
        ),
      )}
    </ol>
  );
}

type ListRef = { readonly current: HTMLOListElement | null };

function itemsIn(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.children ?? [])] as HTMLElement[];
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
  const to = placeAfterKey(event.key, focusedAt(list), itemsIn(list).length);
  if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  focusOn(list, to);
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
      { key: "c", label: words.collect, run: onSlide((slideId) => openAddDialog([slideId])) },
      { key: "+", label: words.relevant, run: onSlide((slideId) => pressMark(slideId, "relevant")) },
      { key: "-", label: words.irrelevant, run: onSlide((slideId) => pressMark(slideId, "irrelevant")) },
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
