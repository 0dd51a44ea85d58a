import type { ComponentChildren, JSX } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Button, type ButtonProps } from "../ui/button";

export interface PopoverProps {
  readonly label: string;
  readonly icon?: ButtonProps["icon"];
  /** What it holds, for screen readers. */
  readonly title: string;
  readonly children: ComponentChildren;
}

/** A button that shows a panel below it; Escape, a click elsewhere, and buttons in it that say data-closes close it. */
export function Popover({ label, icon, title, children }: PopoverProps): JSX.Element {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useLayoutEffect(() => (open && root.current ? whenLeft(root.current, () => setOpen(false)) : undefined), [open]);
  const onClick = (event: MouseEvent): void => {
    if (event.target instanceof Element && event.target.closest("[data-closes]")) setOpen(false);
  };
  return (
    <div ref={root} class="search-popover">
      <Button {...(icon ? { icon } : {})} aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        {label}
      </Button>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keys of a button click it. */}
      <section id={id} class="search-popover-panel" aria-label={title} hidden={!open} onClick={onClick}>
        {open && children}
      </section>
    </div>
  );
}

/** Close with Escape, which gives the focus back, and when something else is pressed. */
function whenLeft(root: HTMLElement, close: () => void): () => void {
  const pressed = (event: PointerEvent): void => {
    if (!root.contains(event.target as Node)) close();
  };
  const typed = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    const wasInside = root.contains(document.activeElement) || document.activeElement === document.body;
    close();
    if (wasInside) root.querySelector<HTMLElement>(":scope > button")?.focus();
  };
  document.addEventListener("pointerdown", pressed);
  document.addEventListener("keydown", typed);
  return () => {
    document.removeEventListener("pointerdown", pressed);
    document.removeEventListener("keydown", typed);
  };
}
