/** The slides that were uploaded, and what may be. */
import { computed, signal } from "@preact/signals";
import { uploads } from "../api/endpoints";
import { ApiError } from "../api/error";
import type { OpenUpload } from "../api/types";
import { resource } from "../state/resource";
import { currentSession } from "../state/session";
import { strings } from "../strings";
import { detachReports } from "./report-texts";

/** The status of a server that was sent too much; trying again is no use. */
export const TOO_LARGE = 413;

export const uploadList = resource(
  () => currentSession() && "uploads",
  (_, signal) => uploads.list(signal),
);

/** What the server had of uploads that were not completed, when it was asked. */
export const unfinishedList = resource(
  () => currentSession() && "uploads/open",
  (_, signal) => uploads.unfinished(signal),
);

const taken = signal<ReadonlySet<string>>(new Set());

/** Say that this tab sends an upload, or has deleted it. */
export function takeUpload(uploadId: string): void {
  taken.value = new Set(taken.peek()).add(uploadId);
}

/** Those of them that nobody in this tab is at: it was closed or loaded anew meanwhile. */
export const unfinished = computed(() =>
  (unfinishedList.state.value.value ?? []).filter(({ upload_id }) => !taken.value.has(upload_id)),
);

/** How many bytes an upload has once it is complete. */
export function sizeOf({ files }: OpenUpload): number {
  return files.reduce((all, { bytes }) => all + bytes, 0);
}

export function receivedOf({ files }: OpenUpload): number {
  return files.reduce((all, { received }) => all + received, 0);
}

export async function removeUpload(uploadId: string): Promise<void> {
  await uploads.remove(uploadId);
  detachReports(uploadId);
  uploadList.reload();
}

/** Why files of so many bytes are not sent at all; null where they may be. */
export function tooLarge(bytes: number): ApiError | null {
  const most = currentSession()?.upload_bytes ?? Number.POSITIVE_INFINITY;
  const { tooLargeTitle, tooLarge: why } = strings.uploads;
  return bytes > most ? new ApiError(TOO_LARGE, tooLargeTitle, why(bytes, most), null) : null;
}
