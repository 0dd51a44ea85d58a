/** The file to be asked with that is on its way. */
import { signal } from "@preact/signals";
import { uploads } from "../api/endpoints";
import { type ApiError, asApiError, isAbort } from "../api/error";
import type { Upload } from "../api/types";
import { isPicture } from "../uploads/files";
import { isDeleted, sendSlide } from "../uploads/send-slide";
import { takeUpload, tooLarge, uploadList } from "../uploads/upload-list";

/** needsSpacing: the file waits for its um/px; share: what of it is sent, 0 to 1; error: why it was refused. */
export interface PendingUpload {
  readonly file: File;
  readonly needsSpacing: boolean;
  readonly share: number;
  readonly error: ApiError | null;
}

export const pendingUpload = signal<PendingUpload | null>(null);

let giveUp: AbortController | null = null;

/** Take a file to be sent: at once, or when its spacing was given where it is a picture. */
export async function startUpload(file: File): Promise<Upload | null> {
  cancelUpload();
  pendingUpload.value = { file, needsSpacing: isPicture(file.name), share: 0, error: tooLarge(file.size) };
  return pendingUpload.value.needsSpacing || pendingUpload.value.error ? null : await sendUpload(file, null);
}

/** Send the file that waits, with its spacing in um/px; null when it was refused or given up. */
export async function sendUpload(file: File, spacingUmPerPx: number | null): Promise<Upload | null> {
  const own = new AbortController();
  giveUp = own;
  let uploadId: string | null = null;
  pendingUpload.value = { file, needsSpacing: false, share: 0, error: null };
  const files = [{ name: file.name, file, series: null }];
  try {
    const upload = await sendSlide(
      { files, spacingUmPerPx, uploadId: null },
      {
        signal: own.signal,
        onOpen: (opened) => {
          uploadId = opened;
          takeUpload(opened);
        },
        onProgress: (bytes) => showShare(own, bytes / file.size),
        onSent: () => showShare(own, 1),
      },
    );
    pendingUpload.value = null;
    uploadList.reload();
    return upload;
  } catch (error) {
    // What of it has arrived would count to what its owner may keep.
    if (uploadId && !isDeleted(asApiError(error))) uploads.remove(uploadId).catch(() => undefined);
    refuse(own, error);
    return null;
  }
}

function showShare(own: AbortController, share: number): void {
  if (!own.signal.aborted && pendingUpload.value) pendingUpload.value = { ...pendingUpload.value, share };
}

let settled: ((upload: Upload | null) => void) | null = null;

/** Whether more files wait for the one on its way. */
export function isAwaited(): boolean {
  return settled !== null;
}

/** What becomes of the file that waits for its spacing or was refused: an upload, or null once it is given up. */
export function whenSettled(): Promise<Upload | null> {
  if (!pendingUpload.peek()) return Promise.resolve(null);
  return new Promise((resolve) => {
    settled = resolve;
  });
}

/** Tell whoever waits what became of a file. */
export function settle(upload: Upload | null): void {
  settled?.(upload);
  settled = null;
}

/** Give up the file that waits or is on its way. */
export function cancelUpload(): void {
  settle(null);
  giveUp?.abort();
  giveUp = null;
  pendingUpload.value = null;
}

function refuse(own: AbortController, error: unknown): void {
  if (isAbort(error) || own.signal.aborted || !pendingUpload.value) return;
  pendingUpload.value = { ...pendingUpload.value, share: 0, error: asApiError(error) };
}
