/** The search bar: what to ask with, in tabs, and how to search. */

import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Tabs } from "../ui/tabs";
import { LONGEST_WORDS, type Mode } from "./draft";
import { FileDrop } from "./file-drop";
import { ImagePicker } from "./image-picker";
import { OptionsButton } from "./options";
import { changeDraft, draft, draftQuery, mode, modes, submitDraft } from "./query-form";
import { ReportPanel } from "./report-panel";
import "./search.css";

const words = strings.search;

/** The search bar, for the header. */
export function SearchBar(): JSX.Element {
  const tabs = modes.value.map((name) => ({ name, label: words.modes[name] }));
  return (
    <form class="search" onSubmit={onSubmit} onKeyDown={onKeyDown}>
      <Tabs tabs={tabs} selected={mode.value} onSelect={select} label={words.modesLabel}>
        <div class="search-row">
          <Panel mode={mode.value} />
          <SubmitButton />
        </div>
      </Tabs>
      <OptionsButton />
      <FileDrop />
    </form>
  );
}

function onSubmit(event: Event): void {
  event.preventDefault();
  submitDraft();
}

/** The down arrow leads from a field on one line to what was found. */
function onKeyDown(event: KeyboardEvent): void {
  const field = event.target;
  if (event.key !== "ArrowDown" || !(field instanceof HTMLInputElement) || field.type !== "search") return;
  const first = document.querySelector<HTMLElement>("[data-result]");
  if (!first) return;
  event.preventDefault();
  first.focus();
}

function select(name: Mode): void {
  mode.value = name;
}

function SubmitButton(): JSX.Element {
  const missing = useComputed(() => draftQuery.value === null);
  return (
    <Button type="submit" kind="primary" icon="search" aria-disabled={missing.value} title={missingText(missing.value)}>
      {words.submit}
    </Button>
  );
}

function missingText(missing: boolean): string | undefined {
  return missing ? words.missing[mode.value] : undefined;
}

function Panel({ mode: panel }: { mode: Mode }): JSX.Element {
  switch (panel) {
    case "text":
      return <WordsFields placeholder={words.textHint} />;
    case "slide":
      return <ImagePicker />;
    case "report":
      return <ReportPanel />;
    case "composed":
      return <ComposedPanel />;
  }
}

function WordsFields({ placeholder }: { placeholder: string }): JSX.Element {
  return (
    <>
      <input
        class="input search-text"
        type="search"
        data-search-field
        autocomplete="off"
        maxLength={LONGEST_WORDS}
        aria-label={words.text}
        placeholder={placeholder}
        value={draft.value.text}
        onInput={(event) => changeDraft({ text: event.currentTarget.value })}
      />
      <input
        class="input search-without"
        type="search"
        autocomplete="off"
        maxLength={LONGEST_WORDS}
        aria-label={words.without}
        placeholder={words.withoutHint}
        value={draft.value.without}
        onInput={(event) => changeDraft({ without: event.currentTarget.value })}
      />
    </>
  );
}

/** An image, words, and how much each counts. */
function ComposedPanel(): JSX.Element {
  const { weight } = draft.value;
  const percent = Math.round(weight * 100);
  return (
    <>
      <ImagePicker />
      <WordsFields placeholder={words.composedHint} />
      <label class="search-weight">
        <span aria-hidden="true">{words.weightEnds.image}</span>
        <input
          type="range"
          min={0}
          max={100}
          step={5}
          value={percent}
          aria-label={words.weight}
          aria-valuetext={words.weightText(percent)}
          title={words.weightText(percent)}
          onInput={(event) => changeDraft({ weight: Number(event.currentTarget.value) / 100 })}
        />
        <span aria-hidden="true">{words.weightEnds.words}</span>
      </label>
    </>
  );
}
