/** How many slides have which values, among those that satisfy the filters. */
import { effect, signal } from "@preact/signals";
import { archives } from "../api/endpoints";
import type { Facets } from "../api/types";
import { archiveChanges, archiveName } from "../state/archives";
import { route } from "../state/navigation";
import { resource } from "../state/resource";
import type { Route } from "../state/route";

const MOST_VALUES = 200;

/** Whether a view shows filters. */
function counts({ view }: Route): boolean {
  return view === "results";
}

export const facets = resource(
  () => {
    const { filters, settings } = route.value;
    if (!archiveName.value || !counts(route.value)) return null;
    return { archive: archiveName.value, filters, where: settings.where, changes: archiveChanges.value };
  },
  ({ archive, filters, where }, signal) =>
    archives.facets(archive, { filters: [...filters], where, most: MOST_VALUES }, signal),
);

/** Counts over the whole archive: they say which fields there are, whatever is filtered. */
export const wholeFacets = resource(
  () =>
    archiveName.value && counts(route.value) ? { archive: archiveName.value, changes: archiveChanges.value } : null,
  ({ archive }, signal) => archives.facets(archive, { most: MOST_VALUES }, signal),
);

/** The last counts that came: they stay while others are on their way, or a condition is refused. */
export const lastFacets = signal<Facets | null>(null);

effect(() => {
  const { value } = facets.state.value;
  if (value) lastFacets.value = value;
});

effect(() => {
  archiveName.value;
  lastFacets.value = null;
});
