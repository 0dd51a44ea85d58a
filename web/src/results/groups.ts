import type { Result } from "../api/types";
import { valueIn } from "../state/slide-names";

/** Results that share a label, in the order of the list. */
export interface ResultGroup {
  readonly label: string | null;
  readonly results: readonly Result[];
}

/** Results by their label in a column, the group of the best result first; without a label they come last. */
export function groupByLabel(results: readonly Result[], column: string): readonly ResultGroup[] {
  const groups = new Map<string | null, Result[]>();
  for (const result of results) {
    const label = labelOf(result, column);
    groups.set(label, [...(groups.get(label) ?? []), result]);
  }
  const all = [...groups].map(([label, own]) => ({ label, results: own }));
  return [...all.filter(({ label }) => label !== null), ...all.filter(({ label }) => label === null)];
}

function labelOf({ slide }: Result, column: string): string | null {
  const value = valueIn(slide, column);
  return value === null ? null : String(value);
}
