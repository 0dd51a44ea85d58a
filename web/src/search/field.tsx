/** The field that takes everything: a combobox with what the archive has and what was asked before. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useId, useRef } from "preact/hooks";
import { strings } from "../strings";
import { type Offer, offers, takeOffer, useOffers } from "./completions";
import { LONGEST_REPORT } from "./draft";
import { OfferList } from "./offer-list";
import { changeDraft, draft } from "./query-form";

const words = strings.search;

export function SearchField(): JSX.Element {
  const { text } = draft.value;
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const open = useSignal(false);
  const active = useSignal(-1);
  useOffers(text, open.value);
  const shown = open.value ? offers.value : [];
  const close = (): void => {
    open.value = false;
    active.value = -1;
  };
  const take = (offer: Offer): void => {
    close();
    takeOffer(offer);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const chosen = shown[active.value];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && shown.length) close();
    else if (event.key === "Enter" && chosen) take(chosen);
    else if (step && shown.length) active.value = nextOf(active.value, step, shown.length);
    else if (event.key !== "ArrowDown" || !focusFirstResult()) {
      if (event.key === "Enter") close();
      return;
    }
    event.preventDefault();
  };
  return (
    <div class="search-combobox" onFocusOut={(event) => isWithin(event) || close()}>
      <input
        ref={input}
        class="input search-input"
        type="text"
        role="combobox"
        data-search-field
        autocomplete="off"
        spellcheck={false}
        enterkeyhint="search"
        maxLength={LONGEST_REPORT}
        aria-label={words.field}
        aria-expanded={shown.length > 0}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={shown[active.value] ? `${list}-${active.value}` : undefined}
        placeholder={words.fieldHint}
        value={text}
        onPaste={onPaste}
        onClick={() => {
          open.value = !text;
        }}
        onInput={(event) => {
          open.value = true;
          active.value = -1;
          changeDraft({ text: event.currentTarget.value });
        }}
        onKeyDown={onKeyDown}
      />
      <OfferList id={list} offers={shown} active={active.value} onTake={take} />
    </div>
  );
}

/** A pasted text of several lines is a report, whose lines a field would lose. */
function onPaste(event: ClipboardEvent): void {
  const text = event.clipboardData?.getData("text/plain").trim() ?? "";
  if (!text.includes("\n") || text.length > LONGEST_REPORT) return;
  event.preventDefault();
  changeDraft({ report: text, reportOf: "" });
}

function nextOf(at: number, step: number, count: number): number {
  const next = at + step;
  return next < -1 ? count - 1 : next >= count ? -1 : next;
}

function isWithin(event: FocusEvent): boolean {
  return event.currentTarget instanceof Node && event.currentTarget.contains(event.relatedTarget as Node | null);
}

/** The down arrow leads from the field to what was found. */
function focusFirstResult(): boolean {
  const first = document.querySelector<HTMLElement>("[data-result]");
  first?.focus();
  return first !== null;
}
