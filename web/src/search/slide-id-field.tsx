import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { useSuggestions } from "./use-suggestions";

export interface SlideIdFieldProps {
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  /** Enter was pressed, or a suggestion chosen. */
  readonly onChoose?: (slideId: string) => void;
  /** Whether the keyboard shortcut of the search field leads here. */
  readonly isMain?: boolean;
}

/** A field for the id of an archived slide, with suggestions once it has the focus. */
export function SlideIdField({ label, placeholder, value, onInput, onChoose, isMain }: SlideIdFieldProps): JSX.Element {
  const list = useId();
  const touched = useSignal(false);
  const slides = useSuggestions(touched.value ? value : null);
  const typed = (text: string, how: string | undefined): void => {
    onInput(text);
    // A suggestion that was chosen comes as a replacement, or as no kind of input at all.
    const isChosen = how === undefined || how === "insertReplacementText";
    if (isChosen && slides.some(({ slide_id }) => slide_id === text)) onChoose?.(text);
  };
  return (
    <>
      <input
        class="input search-id"
        type="text"
        list={list}
        autocomplete="off"
        spellcheck={false}
        maxLength={200}
        aria-label={label}
        placeholder={placeholder}
        value={value}
        {...(isMain ? { "data-search-field": true } : {})}
        onFocus={() => {
          touched.value = true;
        }}
        onInput={(event) => typed(event.currentTarget.value, (event as InputEvent).inputType)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !onChoose || !value.trim()) return;
          event.preventDefault();
          onChoose(value.trim());
        }}
      />
      <datalist id={list}>
        {slides.map(({ slide_id, diagnosis, organ }) => (
          <option key={slide_id} value={slide_id}>
            {[diagnosis, organ].filter(Boolean).join(", ")}
          </option>
        ))}
      </datalist>
    </>
  );
}
