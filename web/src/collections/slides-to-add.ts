/** The slides that are about to be put into a collection; null: none are. */
import { signal } from "@preact/signals";

export const slidesToAdd = signal<readonly string[] | null>(null);

/** Ask which collection slides of the archive are to be put into. */
export function openAddDialog(slideIds: readonly string[]): void {
  slidesToAdd.value = slideIds;
}
