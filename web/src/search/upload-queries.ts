/** From a file to a question: it is uploaded, encoded, and asked with. */
import { effect } from "@preact/signals";
import { asApiError } from "../api/error";
import type { ImageQuery, Upload } from "../api/types";
import { archiveName } from "../state/archives";
import { isOver } from "../state/job-events";
import { placeOfReader, route } from "../state/navigation";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { queryOfUpload } from "../uploads/files";
import { ADD, offerToAdd } from "../uploads/offer-to-add";
import { removeUpload } from "../uploads/upload-list";
import { makeWorklist } from "../worklists/store";
import { slidesOf, withoutUpload } from "./draft";
import { encode, encodingJobs, isEncoded } from "./encoding-jobs";
import { isAwaited, sendUpload, settle, startUpload, whenSettled } from "./pending-upload";
import { changeDraft, chooseImage, draft, submitDraft } from "./query-form";

/** Take a chosen or dropped file; a picture then waits for its spacing. */
export async function uploadAndSearch(file: File): Promise<void> {
  const from = placeOfAsking();
  const upload = await startUpload(file);
  if (upload) offerToAdd(upload);
  searchWithUpload(upload, from);
}

/** Send the file that waited for its spacing in um/px. */
export async function sendWithSpacing(file: File, spacingUmPerPx: number): Promise<void> {
  const from = placeOfAsking();
  const upload = await sendUpload(file, spacingUmPerPx);
  if (!isAwaited()) {
    if (upload) offerToAdd(upload);
    searchWithUpload(upload, from);
  }
  if (upload) settle(upload);
}

/** Ask with the slides of a case. */
export async function askWithCase(files: readonly File[]): Promise<void> {
  const from = placeOfAsking();
  const slides = await sendAll(files);
  if (!slides.length) return;
  const image = { kind: "case", slides: slides.map(({ upload_id }) => ({ upload_id })) } as const;
  changeDraft({ image, report: "", reportOf: "" });
  submitWith(image, from);
}

/** Search with each of many slides, for one table. */
export async function listNearest(files: readonly File[]): Promise<void> {
  const [archive, from] = [archiveName.peek(), placeOfReader()];
  const slides = await sendAll(files);
  const listed = slides.map(({ upload_id }) => ({ upload_id }));
  if (listed.length) void makeWorklist(archive, listed, from);
}

/** Upload slides one after the other: those that were not refused or given up. */
async function sendAll(files: readonly File[]): Promise<readonly Upload[]> {
  const sent: Upload[] = [];
  for (const file of files) {
    const upload = (await startUpload(file)) ?? (await whenSettled());
    if (upload) sent.push(upload);
  }
  return sent;
}

/** Where the reader wants something asked, who may also begin to add an upload there. */
function placeOfAsking(): string {
  return JSON.stringify([placeOfReader(), route.peek().shown[ADD]]);
}

/** Ask with an upload, once it is encoded; from: where the reader wanted it. */
function searchWithUpload(upload: Upload | null, from: string): void {
  if (!upload) return;
  const image = queryOfUpload(upload);
  changeDraft({ image, report: "", reportOf: "" });
  if (image.kind === "picture") submitWith(image, from);
  else encodeThenSubmit(upload, image, from);
}

/** Ask with an upload again, maybe another archive than before. */
export async function searchWithUploadAgain(upload: Upload): Promise<void> {
  const from = placeOfAsking();
  // Not knowing is no harm: an upload that is encoded already is encoded again in a moment.
  const encoded = await isEncoded(upload.upload_id, archiveName.peek()).catch(() => false);
  if (placeOfAsking() !== from) return;
  if (encoded) chooseImage(queryOfUpload(upload));
  else searchWithUpload(upload, from);
}

function encodeThenSubmit(upload: Upload, image: ImageQuery, from: string): void {
  encode(upload.upload_id, archiveName.peek()).then(
    () => submitWhenEncoded(upload.upload_id, image, from),
    // A search encodes what is not encoded yet: it only takes longer and shows no progress.
    () => submitWith(image, from),
  );
}

/** Delete an upload, and take it out of the draft. */
export async function deleteUpload(upload: Upload): Promise<void> {
  await deleteAll([upload], strings.search.uploadDeleted(upload.name));
}

/** Delete uploads, and take them out of the draft. */
export function deleteUploads(uploads: readonly Upload[]): Promise<void> {
  return deleteAll(uploads, strings.search.allDeleted);
}

async function deleteAll(uploads: readonly Upload[], message: string): Promise<void> {
  try {
    for (const { upload_id } of uploads) {
      await removeUpload(upload_id);
      changeDraft({ image: withoutUpload(draft.peek().image, upload_id) });
    }
    toast(message);
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}

function submitWhenEncoded(uploadId: string, image: ImageQuery, from: string): void {
  let over = false;
  const stop = effect(() => {
    const job = encodingJobs.value.get(uploadId);
    if (over || (job && !isOver(job))) return;
    over = true;
    // Not while the effect runs: what is asked reads signals that it would then depend on.
    queueMicrotask(() => {
      stop();
      if (job?.state !== "cancelled") submitWith(image, from);
    });
  });
}

/** Ask, unless the reader went elsewhere, chose something else, or is adding the slide to the archive. */
function submitWith(image: ImageQuery, from: string): void {
  if (placeOfAsking() !== from) return;
  const chosen = draft.peek().image;
  const ids = (of: ImageQuery) => JSON.stringify(slidesOf(of).map(({ upload_id }) => upload_id));
  if (chosen && ids(chosen) === ids(image)) void submitDraft();
}
