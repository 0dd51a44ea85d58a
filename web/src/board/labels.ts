/** The diagnoses that a board weighs, as the address has them. */

export const FEWEST_COLUMNS = 2;
export const MOST_COLUMNS = 4;

/** The labels of an address; none: the server chooses those that are nearest to the query. */
export function readLabels(written: string | undefined): readonly string[] {
  try {
    const labels: unknown = JSON.parse(written ?? "[]");
    if (!Array.isArray(labels)) return [];
    const texts = [...new Set(labels.filter((label): label is string => typeof label === "string" && label !== ""))];
    return texts.length < FEWEST_COLUMNS ? [] : texts.slice(0, MOST_COLUMNS);
  } catch {
    return [];
  }
}

/** Labels for an address; null for none. */
export function writeLabels(labels: readonly string[]): string | null {
  return labels.length ? JSON.stringify(labels) : null;
}

/** The labels with one in place of another; two of the same are one, so the board keeps as many as there are. */
export function replaceLabel(labels: readonly string[], old: string, label: string): readonly string[] {
  if (labels.includes(label)) return labels;
  return labels.map((other) => (other === old ? label : other));
}
