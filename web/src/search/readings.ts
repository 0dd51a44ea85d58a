/** What pieces of a typed text were taken for, and the text as it is once one is taken otherwise. */
import type { FieldFilter, Part, Reading } from "../api/types";

/** A text to ask with instead, and filters beside it. */
export interface Change {
  readonly text: string;
  readonly add: FieldFilter | null;
  readonly remove: FieldFilter | null;
}

/** The text once a part is taken for something else; null: it is taken out. */
export function changePart(text: string, part: Part, reading: Reading | null): Change {
  const remove = part.reading.filter ?? null;
  const add = reading?.filter ?? null;
  const written = reading === null || add ? "" : writtenAs(reading, part.reading);
  const isUnwanted = reading?.kind === "without";
  const [before, after] = around(text, part);
  const words = isUnwanted ? `${before} ${after} without ${written}` : `${before} ${written} ${after}`;
  return { text: tidy(words), add, remove };
}

/** Words that would be understood as something else again are put in quotes. */
function writtenAs(reading: Reading, before: Reading): string {
  const isWord = reading.kind === "words" && !["words", "without", "report"].includes(before.kind);
  return isWord ? `"${reading.text.replaceAll('"', "")}"` : reading.text;
}

/** Offsets count characters, of which some are two units of JavaScript's texts. */
function around(text: string, { start, end }: Part): [before: string, after: string] {
  const characters = [...text];
  const after = characters.slice(end).join("");
  const before = characters.slice(0, start).join("");
  return [before, after];
}

function tidy(text: string): string {
  return text.replace(/[^\S\n]+/g, " ").trim();
}

/** The filters with one more, which takes the place of those of its field. */
export function withFilter(filters: readonly FieldFilter[], more: FieldFilter): FieldFilter[] {
  const others = filters.filter(({ source, field }) => source !== more.source || field !== more.field);
  return [...others, more];
}

/** The filters without one. */
export function withoutFilter(filters: readonly FieldFilter[], gone: FieldFilter): FieldFilter[] {
  const key = JSON.stringify(gone);
  return filters.filter((one) => JSON.stringify(one) !== key);
}

/** How many words a text has. */
export function countWords(text: string): number {
  return text.split(/\s+/).filter(Boolean).length;
}
