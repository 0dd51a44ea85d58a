/** Keys that do something, wherever the focus is but in a field. */
import { signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";

/** key: as KeyboardEvent.key has it; label: what it does, for the help. */
export interface Shortcut {
  readonly key: string;
  readonly label: string;
  readonly run: () => void;
}

export const shortcuts = signal<readonly Shortcut[]>([]);

/** Whether the shortcuts are shown. */
export const helpOpen = signal(false);

/** Have shortcuts while a component is shown; later ones go before earlier ones. */
export function useShortcuts(own: readonly Shortcut[]): void {
  // Before the browser paints: whoever sees the component can use its keys.
  useLayoutEffect(() => {
    shortcuts.value = [...shortcuts.peek(), ...own];
    return () => {
      shortcuts.value = shortcuts.peek().filter((one) => !own.includes(one));
    };
  }, [own]);
}

/** Listen to the keyboard; to be called once. */
export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const shortcut = shortcuts.peek().findLast(({ key }) => key === event.key);
    if (!shortcut) return;
    event.preventDefault();
    shortcut.run();
  });
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches("input, textarea, select, [role=slider]") || inDialog(target);
}

function inDialog(target: HTMLElement): boolean {
  return target.closest("dialog[open]") !== null;
}
