/** What the board asks the server for. */
import { archives, searches } from "../api/endpoints";
import type { DifferentialRequest, Region } from "../api/types";
import type { Route } from "../state/route";
import { readLabels } from "./labels";

const MOST_LABELS = 500;

/** The differential of a route, null where nothing is asked. */
export function differentialRequestOf({ query, filters, settings, shown }: Route): DifferentialRequest | null {
  if (!query) return null;
  return {
    query,
    labels: [...readLabels(shown.labels)],
    column: settings.vote || null,
    where: settings.where,
    filters: [...filters],
    same_patient: settings.samePatient,
  };
}

export interface BoardKey {
  readonly archive: string;
  readonly request: DifferentialRequest;
}

export function fetchBoard({ archive, request }: BoardKey, signal: AbortSignal) {
  return searches.differential(archive, request, signal);
}

export interface ColumnKey {
  readonly archive: string;
  readonly column: string;
}

/** The diagnoses that can be weighed, the most frequent first. */
export async function fetchLabels({ archive, column }: ColumnKey, signal: AbortSignal): Promise<readonly string[]> {
  const counts = await archives.facets(archive, { fields: [column], most: MOST_LABELS }, signal);
  const field = counts.fields.find(({ source }) => source === "metadata");
  return field?.values.map(({ value }) => value) ?? [];
}

/** The regions of a question in level-0 px: as they were drawn, else as the server understood them. */
export function regionsOf({ query }: Pick<Route, "query">, understood: readonly Region[]): readonly Region[] {
  if (query?.kind !== "region") return [];
  return query.unit === "um" ? understood : query.regions;
}
