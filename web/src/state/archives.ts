/** The archives of the server, and the one that is asked. */
import { computed } from "@preact/signals";
import { archives } from "../api/endpoints";
import type { ArchiveInfo } from "../api/types";
import { route } from "./navigation";
import { resource } from "./resource";
import { currentSession } from "./session";

export const archiveList = resource(
  () => currentSession() && "archives",
  (_, signal) => archives.list(signal),
);

/** The archive of the address, else the first one; null until it is archives, and when the address names none. */
export const archive = computed<ArchiveInfo | null>(() => {
  const archives = archiveList.state.value.value ?? [];
  const wanted = route.value.archive;
  return (wanted === null ? archives[0] : archives.find((one) => one.name === wanted)) ?? null;
});

/** Its name, "" until it is archives. */
export const archiveName = computed(() => archive.value?.name ?? "");
