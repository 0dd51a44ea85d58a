/** Keys that do something, wherever the focus is but in a field. */
import { signal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";

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

/** Have Escape end something while it is on: of several things the one that began last. */
export function useEscape(isOn: boolean, label: string, end: () => void): void {
  const latest = useRef(end);
  latest.current = end;
  const own = useMemo(() => (isOn ? [{ key: "Escape", label, run: () => latest.current() }] : NONE), [isOn, label]);
  useShortcuts(own);
}

const NONE: readonly Shortcut[] = [];

/** Listen to the keyboard; to be called once. */
export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const shortcut = shortcuts.peek().findLast(({ key }) => key === event.key);
    if (!shortcut) return;
    event.preventDefault();
    shortcut.run();
  });
}

/** Whether a key means something to the element that has the focus: Escape does to fields of text only. */
export function isTyping({ key, target }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false;
  const fields = key === "Escape" ? TEXT_FIELDS : FIELDS;
  return target.isContentEditable || target.matches(fields) || inDialog(target);
}

const FIELDS = "input, textarea, select, [role=slider]";
const TEXT_FIELDS = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select";

function inDialog(target: HTMLElement): boolean {
  return target.closest("dialog[open]") !== null;
}
