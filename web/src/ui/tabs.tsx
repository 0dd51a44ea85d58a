import type { ComponentChildren, JSX } from "preact";
import { useId, useRef } from "preact/hooks";
import { neighbourAt } from "./arrows";

export interface Tab<Name extends string> {
  readonly name: Name;
  readonly label: string;
}

export interface TabsProps<Name extends string> {
  readonly tabs: readonly Tab<Name>[];
  readonly selected: Name;
  readonly onSelect: (name: Name) => void;
  /** What the tabs are of. */
  readonly label: string;
  /** The content of the selected tab. */
  readonly children: ComponentChildren;
}

/** Tabs with arrow keys, and the panel of the selected one. */
export function Tabs<Name extends string>({ tabs, selected, onSelect, label, children }: TabsProps<Name>): JSX.Element {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = neighbourAt(
      event.key,
      tabs.findIndex((tab) => tab.name === selected),
      tabs.length,
    );
    const next = at === null ? undefined : tabs[at];
    if (!next || at === null) return;
    event.preventDefault();
    onSelect(next.name);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[at]?.focus();
  };
  return (
    <div class="tabs">
      <div ref={list} class="tab-list" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
        {tabs.map((tab) => (
          <button
            key={tab.name}
            type="button"
            role="tab"
            id={`${id}-${tab.name}`}
            class="tab"
            aria-selected={tab.name === selected}
            aria-controls={`${id}-panel`}
            tabIndex={tab.name === selected ? 0 : -1}
            onClick={() => onSelect(tab.name)}
          >
            {tab.label}
          </button>
        ))}
      </div>
      <div class="tab-panel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${selected}`}>
        {children}
      </div>
    </div>
  );
}
