/** Sending the files of one slide, in pieces: what breaks goes on where it stopped. */
import { uploads } from "../api/endpoints";
import { type ApiError, asApiError, isAbort } from "../api/error";
import type { OpenUpload, Upload } from "../api/types";
import type { NamedFile } from "./named-files";

const PIECE_BYTES = 32 * 2 ** 20;
const MOST_TRIES = 6;
const FIRST_PAUSE_MS = 500;

export interface SlideToSend {
  /** None of an upload that has arrived as a whole, and only is to be completed. */
  readonly files: readonly NamedFile[];
  readonly spacingUmPerPx: number | null;
  /** Of an upload that was begun before. */
  readonly uploadId: string | null;
}

export interface Watcher {
  readonly signal: AbortSignal;
  readonly onOpen: (uploadId: string) => void;
  /** Told how many bytes of all files have arrived. */
  readonly onProgress: (bytes: number) => void;
  /** All has arrived: the server looks into it. */
  readonly onSent: () => void;
}

/** Send a slide; throws ApiError, and AbortError once it is given up. */
export async function sendSlide(slide: SlideToSend, watcher: Watcher): Promise<Upload> {
  if (slide.uploadId && !slide.files.length) return complete(slide.uploadId, watcher);
  const opened = await openSlide(slide, watcher);
  watcher.onOpen(opened.upload_id);
  let before = 0;
  for (const part of opened.files) {
    const file = slide.files[part.number]?.file;
    if (!file) continue;
    await sendFile(opened.upload_id, part.number, file, part.received, {
      ...watcher,
      onProgress: (bytes) => watcher.onProgress(before + bytes),
    });
    before += file.size;
  }
  return complete(opened.upload_id, watcher);
}

function complete(uploadId: string, { signal, onSent }: Watcher): Promise<Upload> {
  onSent();
  return tryOften(() => uploads.complete(uploadId, signal), signal);
}

const UNPROCESSABLE = 422;

/** Whether an upload is there no more: what the server could not open it has deleted. */
export function isDeleted(error: ApiError): boolean {
  return error.status === UNPROCESSABLE;
}

async function openSlide({ files, spacingUmPerPx, uploadId }: SlideToSend, { signal }: Watcher): Promise<OpenUpload> {
  if (uploadId) {
    try {
      return await uploads.opened(uploadId, signal);
    } catch (error) {
      if (asApiError(error).status !== 404) throw error;
    }
  }
  const body = {
    files: files.map(({ name, file }) => ({
      name,
      bytes: file.size,
      modified: new Date(file.lastModified).toISOString(),
    })),
    spacing_um_per_px: spacingUmPerPx,
  };
  return tryOften(() => uploads.open(body, signal), signal);
}

async function sendFile(id: string, number: number, file: File, received: number, watcher: Watcher): Promise<void> {
  const { signal, onProgress } = watcher;
  let offset = received;
  onProgress(offset);
  while (offset < file.size) {
    let isAgain = false;
    offset = await tryOften(async () => {
      // Of a piece that broke off, some may have arrived.
      const from = isAgain ? ((await uploads.opened(id, signal)).files[number]?.received ?? offset) : offset;
      isAgain = true;
      if (from >= file.size) return from;
      const piece = file.slice(from, from + PIECE_BYTES);
      const onShare = (share: number): void => onProgress(from + share * piece.size);
      return (await uploads.sendPart(id, number, from, piece, { signal, onProgress: onShare })).received;
    }, signal);
    onProgress(offset);
  }
}

/** Ask until it works, with growing pauses; what a request is to blame for is thrown at once. */
async function tryOften<Answer>(ask: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (isAbort(error) || tries >= MOST_TRIES || !mayPass(asApiError(error).status)) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** (tries - 1), signal);
    }
  }
}

/** Whether what was refused may be taken a little later: no answer, too much at once, somebody else at it. */
function mayPass(status: number): boolean {
  return status === 0 || status === 408 || status === 409 || status === 429 || status === 502 || status === 503;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(new DOMException("given up", "AbortError"));
      },
      { once: true },
    );
  });
}
