/** Slides on their way to the server: several at a time, each by itself; one that fails stops no other. */
import { computed, effect, signal, untracked } from "@preact/signals";
import { texts, uploads } from "../api/endpoints";
import { type ApiError, asApiError, isAbort } from "../api/error";
import type { OpenUpload, Upload } from "../api/types";
import { announce, toast } from "../state/toasts";
import { strings } from "../strings";
import { MOST_FILES, type NamedFile } from "./named-files";
import { attachReport } from "./report-texts";
import { isDeleted, sendSlide } from "./send-slide";
import { receivedOf, sizeOf, takeUpload, tooLarge, unfinished, unfinishedList, uploadList } from "./upload-list";

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
  /** The half-sent upload that its files were chosen for. */
  readonly continues: string | null;
  readonly error: ApiError | null;
}

/** What is not on the server yet, in the order it was given. */
export const queue = signal<readonly QueuedSlide[]>([]);

/** Files that were left out, with why. */
export const leftOut = signal<readonly { readonly name: string; readonly reason: string }[]>([]);

/** Bytes sent and to be sent of all that is under way. */
export const progress = computed(() => {
  const slides = queue.value.filter(({ state }) => state !== "failed" && state !== "spacing");
  const sum = (of: (slide: QueuedSlide) => number): number => slides.reduce((all, slide) => all + of(slide), 0);
  return { slides: slides.length, sent: sum((slide) => slide.sentBytes), bytes: sum((slide) => slide.bytes) };
});

/** Uploads that are half-sent, and by nobody in this tab. */
export const stopped = computed(() => unfinished.value.filter((upload) => receivedOf(upload) < sizeOf(upload)));

const givingUp = new Map<number, AbortController>();
let lastKey = 0;

/** Whoever leaves the page while slides are sent is asked whether to; what of them has arrived can be gone on with. */
addEventListener("beforeunload", (event) => {
  if (progress.peek().slides) event.preventDefault();
});

// What has arrived as a whole needs no file to be completed.
effect(() => {
  const whole = unfinished.value.filter((upload) => receivedOf(upload) === sizeOf(upload));
  if (whole.length) untracked(() => enqueue(whole.map(wholeSlide)));
});

/** Take files to be sent: the server says which make which slides. */
export async function sendFiles(files: readonly NamedFile[]): Promise<void> {
  if (!files.length) return;
  if (files.length > MOST_FILES) {
    toast(words.tooMany(MOST_FILES), "error");
    return;
  }
  try {
    const { slides, others } = await sort(files);
    leftOut.value = others;
    enqueue(slides);
    announce(words.taken(slides.length));
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}

/** Go on with a half-sent upload: of the files, those that it was begun with. */
export async function continueSlide(upload: OpenUpload, files: readonly NamedFile[]): Promise<void> {
  try {
    const same = (await sort(files.slice(0, MOST_FILES))).slides.filter((slide) => hasSizesOf(slide, upload));
    if (!same.length) toast(words.otherFiles(upload.name), "error");
    const { spacing_um_per_px: spacingUmPerPx, upload_id: continues } = upload;
    enqueue(same.slice(0, 1).map((slide) => ({ ...slide, state: "waiting", spacingUmPerPx, continues })));
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}

/** Delete what has arrived of an upload. */
export async function deleteStopped({ upload_id, name }: OpenUpload): Promise<void> {
  try {
    await uploads.remove(upload_id);
    takeUpload(upload_id);
    toast(strings.search.uploadDeleted(name));
  } catch (error) {
    toast(asApiError(error).message, "error");
    unfinishedList.reload();
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

/** What files are: slides with their reports, and what is neither. */
async function sort(files: readonly NamedFile[]): Promise<{ slides: QueuedSlide[]; others: typeof leftOut.value }> {
  const plan = await uploads.plan(files.map(({ name, series }) => ({ name, series })));
  const at = (numbers: readonly number[]): NamedFile[] => numbers.flatMap((number) => files[number] ?? []);
  const slides = plan.slides.map((slide) =>
    newSlide(slide.name, at(slide.files), at(slide.reports), slide.needs_spacing),
  );
  const others = [
    ...plan.passed_over.map(({ file, reason }) => ({ name: files[file]?.name ?? "", reason })),
    ...at(plan.reports).map(({ name }) => ({ name, reason: words.reportAlone })),
  ];
  return { slides, others };
}

function enqueue(slides: readonly QueuedSlide[]): void {
  for (const { uploadId } of slides) if (uploadId) takeUpload(uploadId);
  queue.value = [...queue.peek(), ...slides.filter((slide) => !isQueued(slide))];
  startNext();
}

function hasSizesOf({ files }: QueuedSlide, upload: OpenUpload): boolean {
  const inOrder = (sizes: number[]): string => sizes.sort((a, b) => a - b).join();
  return inOrder(files.map(({ file }) => file.size)) === inOrder(upload.files.map(({ bytes }) => bytes));
}

function wholeSlide(upload: OpenUpload): QueuedSlide {
  const bytes = sizeOf(upload);
  return { ...newSlide(upload.name, [], [], false), bytes, sentBytes: bytes, uploadId: upload.upload_id };
}

function newSlide(name: string, files: NamedFile[], reports: NamedFile[], needsSpacing: boolean): QueuedSlide {
  lastKey += 1;
  const bytes = files.reduce((all, { file }) => all + file.size, 0);
  const error = tooLarge(bytes);
  const state = error ? "failed" : needsSpacing ? "spacing" : "waiting";
  const rest = { sentBytes: 0, spacingUmPerPx: null, uploadId: null, continues: null };
  return { key: lastKey, name, files, reports, bytes, state, error, ...rest };
}

/** Whether the same files are on their way already, as when they are dropped twice. */
function isQueued(slide: QueuedSlide): boolean {
  const keyOf = ({ files }: QueuedSlide): string =>
    JSON.stringify(files.map(({ name, file }) => [name, file.size, file.lastModified]));
  return slide.files.length > 0 && queue.peek().some((one) => one.state !== "failed" && keyOf(one) === keyOf(slide));
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
      onOpen: (uploadId) => {
        change(key, { uploadId });
        takeUpload(uploadId);
        if (slide.continues && slide.continues !== uploadId) dropBefore(slide.continues);
      },
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

/** Delete what was sent of a slide before, when its file has changed and is sent anew. */
function dropBefore(uploadId: string): void {
  takeUpload(uploadId);
  uploads.remove(uploadId).catch(() => undefined);
}

/** Another try with what the server has deleted begins anew. */
function fail(key: number, error: ApiError): void {
  change(key, { state: "failed", error, ...(isDeleted(error) ? { uploadId: null } : {}) });
}

async function takeReports(slide: QueuedSlide, upload: Upload): Promise<void> {
  for (const { name, file } of slide.reports) {
    try {
      const { text } = await texts.read(file);
      attachReport(upload.upload_id, { name, text });
    } catch (error) {
      leftOut.value = [...leftOut.peek(), { name, reason: asApiError(error).message }];
    }
  }
}
