/** Filters over slides, as text. */

/** Slides that have one of these ids. */
export function idsAmong(ids: readonly string[]): string {
  return `slide_id IN (${ids.map((id) => `'${id.replaceAll("'", "''")}'`).join(", ")})`;
}
