/** The archives of the server, and the one that is asked. */
import { computed, signal } from "@preact/signals";
import { archives } from "../api/endpoints";
import type { ArchiveInfo } from "../api/types";
import { route } from "./navigation";
import { resource } from "./resource";
import { ALL_ARCHIVES } from "./route";
import { currentSession } from "./session";

export const archiveList = resource(
  () => currentSession() && "archives",
  (_, signal) => archives.list(signal),
);

/** Whether all archives are asked at once. */
export const asksAll = computed(() => route.value.archive === ALL_ARCHIVES);

/**
 * The archive of the address, else the first one, also where all are asked; null until they are known, and when the
 * address names one that isn't there.
 */
export const archive = computed<ArchiveInfo | null>(() => {
  const archives = archiveList.state.value.value ?? [];
  const wanted = route.value.archive;
  return (wanted === null || asksAll.value ? archives[0] : archives.find((one) => one.name === wanted)) ?? null;
});

/** Its name, "" until it is archives. */
export const archiveName = computed(() => archive.value?.name ?? "");

/** How often the content of archives changed while the page was open: to be part of the keys of what shows it. */
export const archiveChanges = signal(0);

/** Slides were added or removed: what is shown of archives is asked for again. */
export function noteArchiveChange(): void {
  archiveChanges.value += 1;
  archiveList.reload();
}
