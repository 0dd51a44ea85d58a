import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Button, type ButtonProps } from "../ui/button";

export interface PopoverProps {
  readonly label: string;
  readonly icon?: ButtonProps["icon"];
  /** What it holds, for screen readers. */
  readonly title: string;
  readonly children: ComponentChildren;
}

/** A button that shows a panel below it; Escape and a click elsewhere close it. */
export function Popover({ label, icon, title, children }: PopoverProps): JSX.Element {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => (open ? closeOnPressOutside(root.current, () => setOpen(false)) : undefined), [open]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    setOpen(false);
    root.current?.querySelector<HTMLElement>(":scope > button")?.focus();
  };
  return (
    <div ref={root} class="search-popover" role="group" aria-label={title} onKeyDown={onKeyDown}>
      <Button {...(icon ? { icon } : {})} aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        {label}
      </Button>
      <section id={id} class="search-popover-panel" aria-label={title} hidden={!open}>
        {open && children}
      </section>
    </div>
  );
}

function closeOnPressOutside(root: HTMLElement | null, close: () => void): () => void {
  const pressed = (event: PointerEvent): void => {
    if (!root?.contains(event.target as Node)) close();
  };
  document.addEventListener("pointerdown", pressed);
  return () => document.removeEventListener("pointerdown", pressed);
}
