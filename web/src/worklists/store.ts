/** The worklists of whoever asks. */
import { worklists } from "../api/endpoints";
import type { WorklistInfo, WorklistSlide } from "../api/types";
import { go, placeOfReader } from "../state/navigation";
import { resource } from "../state/resource";
import { currentSession } from "../state/session";
import { orToast, toast } from "../state/toasts";
import { strings } from "../strings";

const words = strings.worklists;

/** What of a view's own settings says which worklist is open. */
export const OPEN = "worklist";

export const worklistList = resource(
  () => currentSession()?.name ?? null,
  (_, signal) => worklists.list(signal),
);

/** Search with slides of an archive; the table that is made of it opens where the reader still is where it was wanted. */
export async function makeWorklist(
  archive: string,
  slides: readonly WorklistSlide[],
  from = placeOfReader(),
): Promise<void> {
  const name = words.nameOf(slides.length, new Date().toLocaleDateString());
  const made = await orToast(() => worklists.start(archive, { name, slides: [...slides] }));
  if (!made) return;
  worklistList.reload();
  const open = (): void => go({ view: "work", archive, shown: { [OPEN]: made.worklist_id } });
  const isAwaited = placeOfReader() === from;
  toast(words.started, "info", isAwaited ? null : { label: words.open, run: open });
  if (isAwaited) open();
}

/** Delete a worklist, with the work on it. */
export async function removeWorklist({ worklist_id, name }: WorklistInfo): Promise<void> {
  if (await orToast(() => worklists.remove(worklist_id).then(() => true))) toast(words.removed(name));
  worklistList.reload();
}
