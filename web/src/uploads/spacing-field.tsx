import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { spacingOf } from "./files";
import "./uploads.css";

const words = strings.uploads;

/** Asks how large the pixels of a picture are, in um, and why; there may be a form around it. */
export function SpacingField({ name, onGive }: { name: string; onGive: (um: number) => void }): JSX.Element {
  const typed = useSignal("");
  const why = useId();
  const spacing = spacingOf(typed.value);
  const isWrong = typed.value.trim() !== "" && spacing === null;
  const give = (): void => {
    if (spacing !== null) onGive(spacing);
  };
  return (
    <span class="uploads-spacing">
      <input
        class="input"
        type="text"
        inputMode="decimal"
        autocomplete="off"
        aria-label={words.spacing(name)}
        aria-invalid={isWrong}
        placeholder={words.spacingHint}
        aria-describedby={why}
        value={typed.value}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          give();
        }}
      />
      <span>{words.spacingUnit}</span>
      <Button icon="upload" disabled={spacing === null} onClick={give}>
        {words.send}
      </Button>
      <span id={why} role={isWrong ? "alert" : undefined} class={isWrong ? "uploads-refused" : "faint"}>
        {isWrong ? words.spacingWrong : words.spacingWhy}
      </span>
    </span>
  );
}
