/** Selecting in a list by the place of a slide in it, as number keys do. */
import { useEffect } from "preact/hooks";
import { selectTo, toggleSelected } from "./selection";

/** What holds a list, whose items have the attribute `data-slide`. */
export type ListRef = { readonly current: HTMLElement | null };

export function itemsIn(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>("[data-slide]") ?? [])];
}

/** Where figures are typed; a box that selects is not. */
const TAKES_DIGITS = "input:not([type=checkbox]), textarea, select, dialog";

/** The place that a number key stands for, from 0; null for other keys. Shift changes the key, not its code. */
export function placeOfDigit(code: string): number | null {
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(code)?.[1];
  return digit ? Number(digit) - 1 : null;
}

/** Select the slide at a place of a list, or all from the one that was selected last. */
export function selectAt(list: HTMLElement | null, place: number, span: boolean): void {
  const listed = itemsIn(list).map(({ dataset }) => dataset.slide ?? "");
  const slideId = listed[place];
  if (!slideId) return;
  if (span) selectTo(slideId, listed);
  else toggleSelected(slideId);
}

/** Number keys select slides of a list. */
export function useDigits(list: ListRef): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const place = placeOfDigit(event.code);
      const isTaken = event.target instanceof Element && event.target.closest(TAKES_DIGITS);
      if (place === null || isTaken || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      selectAt(list.current, place, event.shiftKey);
    };
    addEventListener("keydown", onKey, true);
    return () => removeEventListener("keydown", onKey, true);
  }, [list]);
}
