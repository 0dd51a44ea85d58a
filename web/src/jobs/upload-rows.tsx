/** A slide on its way to the server, and one that has arrived. */
import type { JSX } from "preact";
import { uploads } from "../api/endpoints";
import type { OpenUpload, Upload } from "../api/types";
import { deleteUpload } from "../search/upload-queries";
import { archiveName } from "../state/archives";
import { hrefTo, NEW_QUESTION } from "../state/navigation";
import { strings } from "../strings";
import { ProgressBar } from "../ui/bars";
import { Button, IconButton } from "../ui/button";
import { FileButton } from "../ui/file-button";
import { Picture } from "../ui/picture";
import { expiryText, queryOfUpload } from "../uploads/files";
import { namedFiles } from "../uploads/named-files";
import { reportTexts } from "../uploads/report-texts";
import { SpacingField } from "../uploads/spacing-field";
import { receivedOf, sizeOf, TOO_LARGE } from "../uploads/upload-list";
import {
  cancelSlide,
  continueSlide,
  deleteStopped,
  giveSpacing,
  type QueuedSlide,
  retrySlide,
} from "../uploads/upload-queue";

const words = strings.uploads;
const THUMBNAIL_PX = 48;

export function QueuedRow({ slide }: { slide: QueuedSlide }): JSX.Element {
  const { key, name, state, files, bytes, uploadId, error } = slide;
  return (
    <li class="work-row" data-state={state}>
      <div class="work-row-text">
        <strong>{name}</strong>
        <span class="faint">{files.length > 1 ? words.files(files.length, bytes) : words.size(bytes)}</span>
        {error && (
          <span class="work-refused" role="alert">
            {error.detail || error.title}
          </span>
        )}
      </div>
      {state === "spacing" ? (
        <SpacingField name={name} onGive={(um) => giveSpacing(key, um)} />
      ) : (
        <Sent slide={slide} />
      )}
      {state === "failed" && error?.status !== TOO_LARGE && (files.length > 0 || uploadId !== null) && (
        <Button onClick={() => retrySlide(key)} aria-label={words.retry(strings.errors.retry, name)}>
          {strings.errors.retry}
        </Button>
      )}
      <IconButton icon="close" label={words.cancel(name)} onClick={() => cancelSlide(key)} />
    </li>
  );
}

/** An upload that stopped half-way: it needs its files again. */
export function StoppedRow({ upload }: { upload: OpenUpload }): JSX.Element {
  const { name, files } = upload;
  const [received, bytes] = [receivedOf(upload), sizeOf(upload)];
  const text = words.sent(received, bytes);
  const take = (chosen: readonly File[]): void => void namedFiles(chosen).then((named) => continueSlide(upload, named));
  return (
    <li class="work-row" data-state="stopped">
      <div class="work-row-text">
        <strong>{name}</strong>
        <span class="faint">{`${words.stopped(files.length)} ${expiryText(upload)}.`}</span>
      </div>
      <span class="work-progress">
        <ProgressBar share={received / bytes} label={`${name}: ${text}`} />
        <span class="faint">{text}</span>
      </span>
      <FileButton
        icon="upload"
        label={files.length > 1 ? words.chooseAgain.folder : words.chooseAgain.file}
        several={files.length > 1 ? "folder" : undefined}
        onFiles={take}
      />
      <IconButton icon="trash" label={words.remove(name)} onClick={() => void deleteStopped(upload)} />
    </li>
  );
}

function Sent({ slide }: { slide: QueuedSlide }): JSX.Element {
  const { state, sentBytes, bytes } = slide;
  if (state !== "sending" && state !== "checking") {
    return <span class="faint">{state === "failed" ? words.states.failed : words.states.waiting}</span>;
  }
  const text = state === "checking" ? words.states.checking : words.sent(sentBytes, bytes);
  return (
    <span class="work-progress">
      <ProgressBar share={state === "sending" && bytes ? sentBytes / bytes : null} label={`${slide.name}: ${text}`} />
      <span class="faint">{text}</span>
    </span>
  );
}

export interface UploadRowProps {
  readonly upload: Upload;
  /** Whether it is among those to be added; null where there is no choice. */
  readonly chosen: boolean | null;
  readonly onChoose: () => void;
  /** Null for those who may not add slides. */
  readonly onAdd: (() => void) | null;
}

export function UploadRow({ upload, chosen, onChoose, onAdd }: UploadRowProps): JSX.Element {
  const { upload_id, name, bytes } = upload;
  const report = reportTexts.value.get(upload_id);
  const parts = [words.size(bytes), report && words.withReport, expiryText(upload)].filter(Boolean);
  return (
    <li class="work-row">
      {chosen !== null && (
        <input type="checkbox" checked={chosen} aria-label={words.select(name)} onChange={onChoose} />
      )}
      <Picture
        class="work-thumbnail"
        src={uploads.thumbnailUrl(upload_id, 2 * THUMBNAIL_PX)}
        width={THUMBNAIL_PX}
        height={THUMBNAIL_PX}
      />
      <div class="work-row-text">
        <strong>{name}</strong>
        <span class="faint">{parts.join(", ")}</span>
      </div>
      <a class="button" href={hrefTo({ ...NEW_QUESTION, query: queryOfUpload(upload) })}>
        {words.search}
      </a>
      {onAdd && (
        <Button icon="plus" onClick={onAdd}>
          {words.addOne(archiveName.value)}
        </Button>
      )}
      <IconButton icon="trash" label={words.remove(name)} onClick={() => void deleteUpload(upload)} />
    </li>
  );
}
