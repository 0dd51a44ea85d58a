import type { JSX } from "preact";
import { strings } from "../strings";
import { ProgressBar } from "../ui/bars";
import { IconButton } from "../ui/button";
import { SpacingField } from "../uploads/spacing-field";
import { cancelUpload, type PendingUpload } from "./pending-upload";
import { sendWithSpacing } from "./upload-queries";

const words = strings.search;

/** A file on its way: how far it is, why it was refused, or what has to be known of it first. */
export function UploadProgress({ sending }: { sending: PendingUpload }): JSX.Element {
  const { file, error, needsSpacing } = sending;
  return (
    <div class="search-sending">
      <div class="search-file-text">
        <strong>{file.name}</strong>
        {error ? <Refused sending={sending} /> : <span class="faint">{strings.uploads.size(file.size)}</span>}
      </div>
      {(error ? mayHelp(sending) : needsSpacing) && (
        <SpacingField name={file.name} onGive={(um) => void sendWithSpacing(file, um)} />
      )}
      {!needsSpacing && !error && <Sent sending={sending} />}
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
