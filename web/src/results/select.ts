/** Selecting results: with Shift and a click, with Ctrl and a click, and with number keys. */
import { selectTo, toggleSelected } from "../state/selection";

/** Select instead of opening, where Shift or Ctrl is held. */
export function selectWith(event: MouseEvent, slideId: string, listed: readonly string[]): void {
  if (!event.shiftKey && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  if (event.shiftKey) selectTo(slideId, listed);
  else toggleSelected(slideId);
}

/** The place that a number key stands for, from 0; null for other keys. Shift changes the key, not its code. */
export function placeOfDigit(code: string): number | null {
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(code)?.[1];
  return digit ? Number(digit) - 1 : null;
}
