/** The slides that are about to be put into a collection; null: none are. */
import { signal } from "@preact/signals";

export const collecting = signal<readonly string[] | null>(null);

/** Ask which collection slides of the archive are to be put into. */
export function collect(slideIds: readonly string[]): void {
  collecting.value = slideIds;
}
