import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useId, useRef } from "preact/hooks";
import { useEscape } from "../state/shortcuts";
import { strings } from "../strings";
import { IconButton } from "../ui/button";
import type { IconName } from "../ui/icons";

/** The panel that is open: there is room for one. */
const open = signal<string | null>(null);

export interface ToolPanelProps {
  readonly icon: IconName;
  readonly label: string;
  /** Whether what it sets is other than usual. */
  readonly pressed: boolean;
  readonly class?: string;
  readonly children: ComponentChildren;
}

/** A button of the toolbar that opens further controls; Escape and other panels close them. */
export function ToolPanel({ icon, label, pressed, class: own = "", children }: ToolPanelProps): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  const isOpen = open.value === id;
  useEscape(isOpen, strings.viewer.closePanel(label), () => {
    open.value = null;
    root.current?.querySelector<HTMLElement>(":scope > button")?.focus();
  });
  return (
    <div ref={root} class="viewer-panel-tool">
      <IconButton
        icon={icon}
        label={label}
        pressed={pressed}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => {
          open.value = isOpen ? null : id;
        }}
      />
      <div id={id} class={`viewer-panel ${own}`} hidden={!isOpen}>
        {isOpen && children}
      </div>
    </div>
  );
}
