/** Slides that were selected in a list of results or of the archive, to be collected, compared or exported. */
import { computed, signal } from "@preact/signals";

/** Ids in the order in which they were selected. */
export const selection = signal<readonly string[]>([]);

export const selectedIds = computed<ReadonlySet<string>>(() => new Set(selection.value));

let anchor: string | null = null;

/** Select a slide, or take it out of the selection. */
export function toggleSelected(slideId: string): void {
  const chosen = selection.peek();
  selection.value = chosen.includes(slideId) ? chosen.filter((id) => id !== slideId) : [...chosen, slideId];
  anchor = slideId;
}

/** Select all slides of a list from the one that was toggled last to this one. */
export function selectTo(slideId: string, listed: readonly string[]): void {
  const from = listed.indexOf(anchor ?? slideId);
  const to = listed.indexOf(slideId);
  if (from < 0 || to < 0) {
    toggleSelected(slideId);
    return;
  }
  const between = listed.slice(Math.min(from, to), Math.max(from, to) + 1);
  selection.value = [...new Set([...selection.peek(), ...between])];
}

/** Select instead of opening, where Shift or Ctrl is held. */
export function selectWith(event: MouseEvent, slideId: string, listed: readonly string[]): void {
  if (!event.shiftKey && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  if (event.shiftKey) selectTo(slideId, listed);
  else toggleSelected(slideId);
}

/** Select nothing. */
export function clearSelection(): void {
  selection.value = [];
  anchor = null;
}
