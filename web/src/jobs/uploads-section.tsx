/** Sending slides, and those that were sent: to search with, or to be added to the archive. */
import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Upload } from "../api/types";
import { archive, archiveName } from "../state/archives";
import { route, show } from "../state/navigation";
import { currentSession } from "../state/session";
import { strings } from "../strings";
import { ProgressBar } from "../ui/bars";
import { Button } from "../ui/button";
import { FileButton } from "../ui/file-button";
import { Note } from "../ui/status";
import { namedFiles } from "../uploads/named-files";
import { ADD } from "../uploads/offer-to-add";
import { uploadList } from "../uploads/upload-list";
import { leftOut, progress, queue, sendFiles, stopped } from "../uploads/upload-queue";
import { MakeWorklist } from "../worklists/make-worklist";
import { AddDialog } from "./add-dialog";
import { QueuedRow, StoppedRow, UploadRow } from "./upload-rows";

const words = strings.uploads;
const KEPT_HOURS = 24;

export function UploadsSection(): JSX.Element {
  return (
    <section class="work-section" aria-labelledby="work-uploads">
      <h2 id="work-uploads">{words.title}</h2>
      <DropZone />
      <Sending />
      <LeftOut />
      <Ready />
    </section>
  );
}

function DropZone(): JSX.Element {
  const isOver = useSignal(false);
  const take = (files: readonly File[]): void => void namedFiles(files).then(sendFiles);
  const drop = (): void => {
    // What is dropped anywhere on this page is taken there: search/file-drop.
    isOver.value = false;
  };
  const over = (): void => {
    isOver.value = true;
  };
  const leave = (): void => {
    isOver.value = false;
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the buttons in it do the same by keyboard.
    <div class="work-drop" data-over={isOver.value} onDrop={drop} onDragOver={over} onDragLeave={leave}>
      <p>
        {words.dropHint} <FileButton icon="upload" label={words.chooseFiles} several="files" onFiles={take} />{" "}
        <FileButton icon="collection" label={words.chooseFolder} several="folder" onFiles={take} />
      </p>
      <p class="faint">{words.explain(KEPT_HOURS)}</p>
    </div>
  );
}

function Sending(): JSX.Element | null {
  if (!queue.value.length && !stopped.value.length) return null;
  const { slides, sent, bytes } = progress.value;
  const text = words.all(slides, sent, bytes);
  return (
    <>
      {slides > 0 && (
        <div class="work-progress">
          <ProgressBar share={bytes ? sent / bytes : null} label={text} />
          <span>{text}</span>
        </div>
      )}
      <ul class="work-rows">
        {queue.value.map((slide) => (
          <QueuedRow key={slide.key} slide={slide} />
        ))}
        {stopped.value.map((upload) => (
          <StoppedRow key={upload.upload_id} upload={upload} />
        ))}
      </ul>
    </>
  );
}

function LeftOut(): JSX.Element | null {
  const files = leftOut.value;
  if (!files.length) return null;
  const forget = (): void => {
    leftOut.value = [];
  };
  return (
    <details open={files.length <= 5}>
      <summary>{words.leftOut(files.length)}</summary>
      <ul class="work-lines">
        {files.map(({ name, reason }) => (
          <li key={name}>
            <strong>{name}</strong> <span>{reason}</span>
          </li>
        ))}
      </ul>
      <Button onClick={forget}>{words.forgetLeftOut}</Button>
    </details>
  );
}

function Ready(): JSX.Element {
  const { value: uploads } = uploadList.state.value;
  const left = useSignal<ReadonlySet<string>>(new Set());
  const several = useSignal<readonly Upload[] | null>(null);
  const chosen = useComputed(() =>
    (uploadList.state.value.value ?? []).filter((one) => !left.value.has(one.upload_id)),
  );
  const mayAdd = currentSession()?.imports === true && archive.value !== null;
  const toggle = (id: string): void => {
    const rest = new Set(left.value);
    if (!rest.delete(id)) rest.add(id);
    left.value = rest;
  };
  const one = uploads?.find(({ upload_id }) => upload_id === route.value.shown[ADD]);
  const adding = mayAdd ? (several.value ?? (one ? [one] : null)) : null;
  const close = (): void => {
    several.value = null;
    show(ADD, null);
  };
  if (!uploads?.length) return <Note>{words.none}</Note>;
  return (
    <>
      <div class="work-ready-head">
        <h3>{words.ready(uploads.length)}</h3>
        {archive.value && (
          <MakeWorklist slides={chosen.value.map(({ upload_id }) => ({ archive: archiveName.value, upload_id }))} />
        )}
        {mayAdd && uploads.length > 1 && (
          <Button
            kind="primary"
            icon="plus"
            disabled={!chosen.value.length}
            onClick={() => {
              several.value = chosen.value;
            }}
          >
            {words.addAll(chosen.value.length, archiveName.value)}
          </Button>
        )}
      </div>
      <ul class="work-rows">
        {uploads.map((upload) => (
          <UploadRow
            key={upload.upload_id}
            upload={upload}
            chosen={uploads.length > 1 && mayAdd ? !left.value.has(upload.upload_id) : null}
            onChoose={() => toggle(upload.upload_id)}
            onAdd={mayAdd ? () => show(ADD, upload.upload_id) : null}
          />
        ))}
      </ul>
      {adding && <AddDialog uploads={adding} archive={archiveName.value} onClose={close} />}
    </>
  );
}
