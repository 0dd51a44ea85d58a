import type { Phrase } from "../api/types";

/** A piece of a text and what marks it: a sentence near the query, a word of the query, or both. */
export interface Segment {
  readonly text: string;
  readonly meaning: boolean;
  readonly words: boolean;
}

/** A part of a text with its segments; before and after: whether text was left out there. */
export interface Excerpt {
  readonly segments: readonly Segment[];
  readonly before: boolean;
  readonly after: boolean;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Offsets of the server count characters (code points); strings here count UTF-16 units. */
function unitOffsets(text: string): (codePoint: number) => number {
  if (!/[\uD800-\uDBFF]/.test(text)) return (codePoint) => Math.min(codePoint, text.length);
  const offsets: number[] = [];
  let unit = 0;
  for (const character of text) {
    offsets.push(unit);
    unit += character.length;
  }
  return (codePoint) => offsets[codePoint] ?? text.length;
}

function covers(phrases: readonly Phrase[], kind: Phrase["kind"], span: Span): boolean {
  return phrases.some((phrase) => phrase.kind === kind && phrase.start <= span.start && phrase.end >= span.end);
}

/** The text cut where a phrase begins or ends, so that overlapping phrases need no nesting. */
export function segmentsOf(text: string, phrases: readonly Phrase[], span?: Span): Segment[] {
  const unit = unitOffsets(text);
  const inUnits = phrases.map((phrase) => ({ ...phrase, start: unit(phrase.start), end: unit(phrase.end) }));
  const from = span?.start ?? 0;
  const to = span?.end ?? text.length;
  const cuts = inUnits.flatMap(({ start, end }) => [start, end]).filter((cut) => cut > from && cut < to);
  const edges = [...new Set([from, ...cuts, to])].sort((a, b) => a - b);
  const segments: Segment[] = [];
  edges.forEach((start, index) => {
    const end = edges[index + 1];
    if (end === undefined || end <= start) return;
    const piece = { start, end };
    segments.push({
      text: text.slice(start, end),
      meaning: covers(inUnits, "meaning", piece),
      words: covers(inUnits, "words", piece),
    });
  });
  return segments;
}

// A report that was asked with shares most of its words with any other: marking them all marks nothing.
const CROWDED_SHARE = 0.4;
const CROWDED_WORDS = 5;

/** Segments without marked words where those are many, and much of the text. */
export function thinOut(segments: readonly Segment[]): readonly Segment[] {
  const length = (some: readonly Segment[]) => some.reduce((sum, { text }) => sum + text.length, 0);
  const marked = segments.filter(({ words }) => words);
  if (marked.length < CROWDED_WORDS || length(marked) <= CROWDED_SHARE * length(segments)) return segments;
  return segments.map((segment) => ({ ...segment, words: false }));
}

/** The phrase to show first: the sentence nearest to the query, else its first word. */
function leading(phrases: readonly Phrase[]): Phrase | undefined {
  const sentences = phrases.filter((phrase) => phrase.kind === "meaning");
  const best = sentences.reduce<Phrase | undefined>((a, b) => (a && a.score >= b.score ? a : b), undefined);
  return best ?? phrases[0];
}

function wordStart(text: string, offset: number): number {
  if (offset <= 0) return 0;
  const blank = text.slice(offset).search(/\s/);
  return blank < 0 || blank > 30 ? offset : offset + blank + 1;
}

function wordEnd(text: string, offset: number): number {
  if (offset >= text.length) return text.length;
  const blank = text.lastIndexOf(" ", offset);
  return blank > offset - 30 && blank > 0 ? blank : offset;
}

/** About `length` characters of the text around what matched best; its beginning where nothing is marked. */
export function excerptOf(text: string, phrases: readonly Phrase[], length: number): Excerpt {
  if (text.length <= length) return { segments: segmentsOf(text, phrases), before: false, after: false };
  const unit = unitOffsets(text);
  const lead = leading(phrases);
  const start = lead ? unit(lead.start) : 0;
  const room = Math.max(0, length - ((lead ? unit(lead.end) : 0) - start));
  const from = lead?.kind === "meaning" ? start : wordStart(text, Math.max(0, start - Math.floor(room / 2)));
  const to = wordEnd(text, Math.min(text.length, from + length));
  return { segments: segmentsOf(text, phrases, { start: from, end: to }), before: from > 0, after: to < text.length };
}
