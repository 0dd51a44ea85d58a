/** The slides that were uploaded, and what may be. */
import { uploads } from "../api/endpoints";
import { ApiError } from "../api/error";
import { resource } from "../state/resource";
import { currentSession } from "../state/session";
import { strings } from "../strings";

/** The status of a server that was sent too much; trying again is no use. */
export const TOO_LARGE = 413;

export const uploadList = resource(
  () => currentSession() && "uploads",
  (_, signal) => uploads.list(signal),
);

export async function removeUpload(uploadId: string): Promise<void> {
  await uploads.remove(uploadId);
  uploadList.reload();
}

/** Why files of so many bytes are not sent at all; null where they may be. */
export function tooLarge(bytes: number): ApiError | null {
  const most = currentSession()?.upload_bytes ?? Number.POSITIVE_INFINITY;
  const { tooLargeTitle, tooLarge: why } = strings.uploads;
  return bytes > most ? new ApiError(TOO_LARGE, tooLargeTitle, why(bytes, most), null) : null;
}
