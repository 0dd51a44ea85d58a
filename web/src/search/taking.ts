/** From a file to a question: it is uploaded, encoded, and asked with. */
import { effect } from "@preact/signals";
import { asApiError } from "../api/error";
import type { ImageQuery, Upload } from "../api/types";
import { archiveName } from "../state/archives";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { change, choose, draft, mode, submit } from "./asking";
import { slidesOf, withoutUpload } from "./draft";
import { encode, encodings, isEncoded, isOver } from "./encoding";
import { queryOfUpload } from "./files";
import { removeUpload, send, takeFile } from "./uploads";

/** Take a chosen or dropped file; a picture then waits for its spacing. */
export async function takeSlide(file: File): Promise<void> {
  askWithUpload(await takeFile(file));
}

/** Send the file that waited for its spacing in um/px. */
export async function sendWithSpacing(file: File, spacingUmPerPx: number): Promise<void> {
  askWithUpload(await send(file, spacingUmPerPx));
}

/** Ask with an upload, once it is encoded. */
export function askWithUpload(upload: Upload | null): void {
  if (!upload) return;
  const image = queryOfUpload(upload);
  change({ image, like: "" });
  if (image.kind === "picture") submitWith(image);
  else encodeThenSubmit(upload, image);
}

/** Ask with an upload again, maybe another archive than before. */
export async function askWithUploadAgain(upload: Upload): Promise<void> {
  // Not knowing is no harm: an upload that is encoded already is encoded again in a moment.
  const encoded = await isEncoded(upload.upload_id, archiveName.peek()).catch(() => false);
  if (encoded) choose(queryOfUpload(upload));
  else askWithUpload(upload);
}

function encodeThenSubmit(upload: Upload, image: ImageQuery): void {
  encode(upload.upload_id, archiveName.peek()).then(
    () => submitWhenEncoded(upload.upload_id, image),
    // A search encodes what is not encoded yet: it only takes longer and shows no progress.
    () => submitWith(image),
  );
}

/** Delete an upload, and take it out of the draft. */
export async function deleteUpload(upload: Upload): Promise<void> {
  await deleted([upload], strings.search.uploadDeleted(upload.name));
}

/** Delete uploads, and take them out of the draft. */
export function deleteUploads(uploads: readonly Upload[]): Promise<void> {
  return deleted(uploads, strings.search.allDeleted);
}

async function deleted(uploads: readonly Upload[], told: string): Promise<void> {
  try {
    for (const { upload_id } of uploads) {
      await removeUpload(upload_id);
      change({ image: withoutUpload(draft.peek().image, upload_id) });
    }
    toast(told);
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}

function submitWhenEncoded(uploadId: string, image: ImageQuery): void {
  let over = false;
  const stop = effect(() => {
    const job = encodings.value.get(uploadId);
    if (over || (job && !isOver(job))) return;
    over = true;
    // Not while the effect runs: what is asked reads signals that it would then depend on.
    queueMicrotask(() => {
      stop();
      if (job?.state !== "cancelled") submitWith(image);
    });
  });
}

/** Ask, unless something else was chosen in the meantime. */
function submitWith(image: ImageQuery): void {
  const chosen = draft.peek().image;
  const ids = (of: ImageQuery) => JSON.stringify(slidesOf(of).map(({ upload_id }) => upload_id));
  if (mode.peek() === "slide" && chosen && ids(chosen) === ids(image)) submit();
}
