import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { strings } from "../strings";
import { ProgressBar } from "../ui/bars";
import { Button, IconButton } from "../ui/button";
import { sizeText, spacingOf } from "./files";
import { sendWithSpacing } from "./upload-queries";
import { cancelUpload, type PendingUpload } from "./uploads";

const words = strings.search;

/** A file on its way: how far it is, why it was refused, or what has to be known of it first. */
export function UploadProgress({ sending }: { sending: PendingUpload }): JSX.Element {
  const { file, error, needsSpacing } = sending;
  return (
    <div class="search-sending">
      <div class="search-file-text">
        <strong>{file.name}</strong>
        {error ? <Refused sending={sending} /> : <span class="faint">{sizeText(file.size)}</span>}
      </div>
      {needsSpacing && !error ? <SpacingField file={file} /> : null}
      {!needsSpacing && !error ? <Sent sending={sending} /> : null}
      {error && mayHelp(sending) ? <SpacingField file={file} /> : null}
      <IconButton icon="close" label={error ? words.dismiss : words.cancelUpload} onClick={cancel} />
    </div>
  );
}

/** Whoever gives a file up may want to choose another one. */
function cancel(): void {
  cancelUpload();
  requestAnimationFrame(() => document.querySelector<HTMLElement>("[data-file-chooser]")?.focus());
}

function Refused({ sending }: { sending: PendingUpload }): JSX.Element {
  const { error } = sending;
  return (
    <span class="search-refused" role="alert">
      {error?.detail || error?.title}
    </span>
  );
}

/** Files that do not say their spacing are refused with advice to give it; this is where. */
function mayHelp({ error }: PendingUpload): boolean {
  return error !== null && /spacing/i.test(`${error.title} ${error.detail}`);
}

function Sent({ sending }: { sending: PendingUpload }): JSX.Element {
  const percent = Math.round(sending.share * 100);
  // When all is sent the server still looks into the file, and does not say how far it is.
  const share = sending.share < 1 ? sending.share : null;
  const text = share === null ? words.opening : words.sent(percent);
  return (
    <span class="search-progress">
      <ProgressBar share={share} label={text} />
      <span class="faint">{text}</span>
    </span>
  );
}

function SpacingField({ file }: { file: File }): JSX.Element {
  const typed = useSignal("");
  const why = useId();
  const spacing = spacingOf(typed.value);
  const wrong = typed.value.trim() !== "" && spacing === null;
  const sendNow = (): void => {
    if (spacing !== null) void sendWithSpacing(file, spacing);
  };
  return (
    <span class="search-spacing">
      <input
        class="input"
        type="text"
        inputMode="decimal"
        autocomplete="off"
        aria-label={words.spacing}
        aria-invalid={wrong}
        placeholder={words.spacingHint}
        aria-describedby={why}
        value={typed.value}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          sendNow();
        }}
      />
      <span>{words.spacingUnit}</span>
      <Button icon="upload" disabled={spacing === null} onClick={sendNow}>
        {words.upload}
      </Button>
      <span id={why} role={wrong ? "alert" : undefined} class={wrong ? "search-refused" : "faint"}>
        {wrong ? words.spacingWrong : words.spacingWhy}
      </span>
    </span>
  );
}
