/** Filters over slides, as text. */

/** Text as a filter has it, with its quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Slides whose id contains what was typed, in any case; null: all slides. */
export function idsLike(typed: string): string | null {
  const text = typed.trim().toLowerCase();
  return text ? `contains(lower(slide_id), ${quoted(text)})` : null;
}

/** Slides that have one of these ids. */
export function idsAmong(ids: readonly string[]): string {
  return `slide_id IN (${ids.map(quoted).join(", ")})`;
}
