import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { strings } from "../strings";
import { IconButton } from "./button";

export interface DialogProps {
  readonly open: boolean;
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** Buttons at the foot. */
  readonly actions?: ComponentChildren;
  readonly class?: string;
}

/** A modal dialog: keeps the focus, closes with Escape, gives the focus back. */
export function Dialog({ open, title, onClose, children, actions, class: extra = "" }: DialogProps): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = element.current;
    if (open && !dialog?.open) dialog?.showModal();
    if (!open && dialog?.open) dialog.close();
  }, [open]);
  return (
    <dialog ref={element} class={`dialog ${extra}`} aria-labelledby={heading} onClose={onClose}>
      {open && (
        <>
          <header class="dialog-head">
            <h2 id={heading}>{title}</h2>
            <IconButton icon="close" label={strings.app.close} onClick={onClose} />
          </header>
          <div class="dialog-body">{children}</div>
          {actions && <footer class="dialog-actions">{actions}</footer>}
        </>
      )}
    </dialog>
  );
}
