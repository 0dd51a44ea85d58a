/** The way from an upload to the archive. */
import type { Upload } from "../api/types";
import { archiveName } from "../state/archives";
import { go } from "../state/navigation";
import { currentSession } from "../state/session";
import { toast } from "../state/toasts";
import { strings } from "../strings";

/** What the work page wants in the address to ask for what is known of an upload. */
export const ADD = "add";

/** Say that a slide has arrived, and offer to add it to those who may. */
export function offerToAdd(upload: Upload): void {
  if (!currentSession()?.imports || !archiveName.peek()) return;
  const label = strings.uploads.addOne(archiveName.peek());
  const run = (): void => go({ view: "work", shown: { [ADD]: upload.upload_id } });
  toast(strings.uploads.arrived(upload.name), "info", { label, run });
}
