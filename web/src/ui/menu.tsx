import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { neighbourAt } from "./arrows";
import { Button } from "./button";
import type { IconName } from "./icons";

export interface MenuItem {
  readonly label: string;
  readonly icon?: IconName;
  readonly disabled?: boolean;
  readonly run: () => void;
}

/** A button that opens a menu: arrow keys move, Escape and a click elsewhere close it. */
export function Menu({ label, icon, items }: { label: string; icon?: IconName; items: readonly MenuItem[] }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (open) entriesIn(root.current)[0]?.focus();
  }, [open]);
  const close = (giveFocusBack: boolean): void => {
    setOpen(false);
    if (giveFocusBack) root.current?.querySelector<HTMLElement>(":scope > button")?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys and focus of the menu in it come up to here.
    <div
      ref={root}
      class="menu"
      onFocusOut={(event) => root.current?.contains(event.relatedTarget as Node | null) || setOpen(false)}
      onKeyDown={(event) => open && onMenuKey(event, root.current, () => close(true))}
    >
      <Button
        {...(icon ? { icon } : {})}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        {label}
      </Button>
      <div id={id} class="menu-list" role="menu" aria-label={label} hidden={!open}>
        {items.map((item) => (
          <MenuEntry key={item.label} item={item} onDone={() => close(true)} />
        ))}
      </div>
    </div>
  );
}

function MenuEntry({ item, onDone }: { item: MenuItem; onDone: () => void }): JSX.Element {
  const run = (): void => {
    onDone();
    item.run();
  };
  return (
    <Button
      {...(item.icon ? { icon: item.icon } : {})}
      kind="quiet"
      role="menuitem"
      tabIndex={-1}
      disabled={item.disabled ?? false}
      onClick={run}
    >
      {item.label}
    </Button>
  );
}

function entriesIn(root: HTMLElement | null): HTMLElement[] {
  return [...(root?.querySelectorAll<HTMLElement>("[role=menuitem]:not(:disabled)") ?? [])];
}

function onMenuKey(event: KeyboardEvent, root: HTMLElement | null, close: () => void): void {
  const entries = entriesIn(root);
  const next = neighbourAt(event.key, entries.indexOf(document.activeElement as HTMLElement), entries.length);
  if (event.key !== "Escape" && next === null) return;
  event.preventDefault();
  event.stopPropagation();
  if (next === null) close();
  else entries[next]?.focus();
}
