/** Slides on their way to the server: several at a time, each by itself; one that fails stops no other. */
import { computed, signal } from "@preact/signals";
import { texts, uploads } from "../api/endpoints";
import { type ApiError, asApiError, isAbort } from "../api/error";
import type { Upload } from "../api/types";
import { announce, toast } from "../state/toasts";
import { strings } from "../strings";
import { MOST_FILES, type NamedFile } from "./named-files";
import { isDeleted, sendSlide } from "./send-slide";
import { tooLarge, uploadList } from "./upload-list";

const AT_ONCE = 2;
const words = strings.uploads;

/** spacing: it waits for the size of its pixels; checking: all was sent, and the server looks into it. */
export type SendState = "spacing" | "waiting" | "sending" | "checking" | "failed";

export interface QueuedSlide {
  readonly key: number;
  readonly name: string;
  readonly files: readonly NamedFile[];
  readonly reports: readonly NamedFile[];
  readonly bytes: number;
  readonly sentBytes: number;
  readonly state: SendState;
  readonly spacingUmPerPx: number | null;
  readonly uploadId: string | null;
  readonly error: ApiError | null;
}

/** What is not on the server yet, in the order it was given. */
export const queue = signal<readonly QueuedSlide[]>([]);

/** Files that were left out, with why. */
export const leftOut = signal<readonly { readonly name: string; readonly reason: string }[]>([]);

/** Reports that came with slides, by the ids of the uploads: without identifiers, and in this tab alone. */
export const reportTexts = signal<ReadonlyMap<string, { readonly name: string; readonly text: string }>>(new Map());

/** Bytes sent and to be sent of all that is under way. */
export const progress = computed(() => {
  const slides = queue.value.filter(({ state }) => state !== "failed" && state !== "spacing");
  const sum = (of: (slide: QueuedSlide) => number): number => slides.reduce((all, slide) => all + of(slide), 0);
  return { slides: slides.length, sent: sum((slide) => slide.sentBytes), bytes: sum((slide) => slide.bytes) };
});

const givingUp = new Map<number, AbortController>();
let lastKey = 0;

/** Whoever leaves the page while slides are sent is asked whether to; what of them has arrived is deleted then. */
addEventListener("beforeunload", (event) => {
  if (progress.peek().slides) event.preventDefault();
});
addEventListener("pagehide", () => {
  for (const { uploadId } of queue.peek()) if (uploadId) uploads.remove(uploadId, true).catch(() => undefined);
});

/** Take files to be sent: the server says which make which slides. */
export async function sendFiles(files: readonly NamedFile[]): Promise<void> {
  if (!files.length) return;
  if (files.length > MOST_FILES) {
    toast(words.tooMany(MOST_FILES), "error");
    return;
  }
  try {
    const plan = await uploads.plan(files.map(({ name, series }) => ({ name, series })));
    const at = (numbers: readonly number[]): NamedFile[] => numbers.flatMap((number) => files[number] ?? []);
    const slides = plan.slides.map((slide) =>
      newSlide(slide.name, at(slide.files), at(slide.reports), slide.needs_spacing),
    );
    leftOut.value = [
      ...plan.passed_over.map(({ file, reason }) => ({ name: files[file]?.name ?? "", reason })),
      ...at(plan.reports).map(({ name }) => ({ name, reason: words.reportAlone })),
    ];
    queue.value = [...queue.peek(), ...slides.filter((slide) => !isQueued(slide))];
    announce(words.taken(slides.length));
    startNext();
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}

/** Say how large the pixels of a picture are, in um: it is sent then. */
export function giveSpacing(key: number, spacingUmPerPx: number): void {
  change(key, { spacingUmPerPx, state: "waiting" });
  startNext();
}

/** Go on with what failed, where it stopped. */
export function retrySlide(key: number): void {
  change(key, { state: "waiting", error: null });
  startNext();
}

/** Give a slide up; what of it has arrived is deleted. */
export function cancelSlide(key: number): void {
  const slide = queue.peek().find((one) => one.key === key);
  givingUp.get(key)?.abort();
  queue.value = queue.peek().filter((one) => one.key !== key);
  if (slide?.uploadId) uploads.remove(slide.uploadId).catch(() => undefined);
  startNext();
}

function newSlide(name: string, files: NamedFile[], reports: NamedFile[], needsSpacing: boolean): QueuedSlide {
  lastKey += 1;
  const bytes = files.reduce((all, { file }) => all + file.size, 0);
  const error = tooLarge(bytes);
  const state = error ? "failed" : needsSpacing ? "spacing" : "waiting";
  const rest = { sentBytes: 0, spacingUmPerPx: null, uploadId: null };
  return { key: lastKey, name, files, reports, bytes, state, error, ...rest };
}

/** Whether the same files are on their way already, as when they are dropped twice. */
function isQueued(slide: QueuedSlide): boolean {
  const keyOf = ({ files }: QueuedSlide): string =>
    JSON.stringify(files.map(({ name, file }) => [name, file.size, file.lastModified]));
  return queue.peek().some((one) => one.state !== "failed" && keyOf(one) === keyOf(slide));
}

function change(key: number, part: Partial<QueuedSlide>): void {
  queue.value = queue.peek().map((slide) => (slide.key === key ? { ...slide, ...part } : slide));
}

function startNext(): void {
  const busy = queue.peek().filter(({ state }) => state === "sending" || state === "checking").length;
  const next = queue.peek().filter(({ state }) => state === "waiting");
  for (const slide of next.slice(0, Math.max(0, AT_ONCE - busy))) void send(slide);
}

async function send(slide: QueuedSlide): Promise<void> {
  const { key } = slide;
  const giveUp = new AbortController();
  givingUp.set(key, giveUp);
  change(key, { state: "sending" });
  try {
    const upload = await sendSlide(slide, {
      signal: giveUp.signal,
      onOpen: (uploadId) => change(key, { uploadId }),
      onProgress: (sentBytes) => change(key, { sentBytes }),
      onSent: () => change(key, { state: "checking" }),
    });
    await takeReports(slide, upload);
    queue.value = queue.peek().filter((one) => one.key !== key);
    announce(words.arrived(upload.name));
    uploadList.reload();
  } catch (error) {
    if (!isAbort(error)) fail(key, asApiError(error));
  } finally {
    givingUp.delete(key);
    startNext();
  }
}

/** Another try with what the server has deleted begins anew. */
function fail(key: number, error: ApiError): void {
  change(key, { state: "failed", error, ...(isDeleted(error) ? { uploadId: null } : {}) });
}

async function takeReports(slide: QueuedSlide, upload: Upload): Promise<void> {
  for (const { name, file } of slide.reports) {
    try {
      const { text } = await texts.read(file);
      const known = reportTexts.peek().get(upload.upload_id);
      const whole = known ? { name: known.name, text: `${known.text}\n\n${text}` } : { name, text };
      reportTexts.value = new Map(reportTexts.peek()).set(upload.upload_id, whole);
    } catch (error) {
      leftOut.value = [...leftOut.peek(), { name, reason: asApiError(error).message }];
    }
  }
}
