/**
 * What the user judged of the question's results.
 *
 * Judgements are kept in the address beside those that the list is ranked by, so that the list stays as it is until
 * somebody asks to rank it anew.
 */
import { computed, signal } from "@preact/signals";
import { feedback } from "../api/endpoints";
import { asApiError } from "../api/error";
import type { Marks, Region } from "../api/types";
import { archiveName } from "../state/archives";
import { go, route } from "../state/navigation";
import { regionText } from "../state/region-key";
import { NO_MARKS, type Route } from "../state/route";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { type Mark, markOf, toggleMark, withMark } from "./marks";

const JUDGED = "judged";

/** All judgements, also those that the list is not ranked by yet. */
export const judgedMarks = computed<Marks>(() => judgedOf(route.value));

/** Whether the list is ranked by all judgements. */
export const isRanked = computed(() => judgedOf(route.value) === route.value.marks);

/** Press the button of a mark: the slide is marked so, or no longer. */
export function pressMark(slideId: string, pressed: Exclude<Mark, null>): void {
  setMark(slideId, toggleMark(markOf(judgedMarks.peek(), slideId), pressed));
}

/** Mark a slide, or take its mark back; when the server did not store it, it is as it was. */
export function setMark(slideId: string, mark: Mark): void {
  const before = markOf(judgedMarks.peek(), slideId);
  write(withMark(judgedMarks.peek(), slideId, mark));
  void keep(slideId, mark, before);
}

/** Fields that were judged in this visit, by slide and place. */
const judgedFields = signal<ReadonlyMap<string, Mark>>(new Map());

/** How a field of a slide was judged. */
export function markOfField(slideId: string, field: Region): Mark {
  return judgedFields.value.get(fieldKey(slideId, field)) ?? null;
}

/** Judge a field, or take that back; a relevant field makes its slide relevant, too, so that it counts in the ranking. */
export async function pressFieldMark(slideId: string, field: Region, pressed: Exclude<Mark, null>): Promise<void> {
  const { query } = route.peek();
  if (!query) return;
  const before = markOfField(slideId, field);
  const mark = toggleMark(before, pressed);
  writeFieldMark(slideId, field, mark);
  try {
    const relevant = mark === null ? null : mark === "relevant";
    await feedback.judge(archiveName.peek(), { query, slide_id: slideId, relevant, region: field });
    if (relevant && markOf(judgedMarks.peek(), slideId) === null) setMark(slideId, "relevant");
  } catch (error) {
    writeFieldMark(slideId, field, before);
    toast(strings.results.notJudged(asApiError(error).message), "error");
  }
}

function writeFieldMark(slideId: string, field: Region, mark: Mark): void {
  judgedFields.value = new Map(judgedFields.peek()).set(fieldKey(slideId, field), mark);
}

function fieldKey(slideId: string, field: Region): string {
  return `${regionText(field)}:${slideId}:${keyOf(route.peek().query)}`;
}

/** Take all marks back. */
export function clearMarks(): void {
  const { relevant, irrelevant } = judgedMarks.peek();
  go({ marks: NO_MARKS, shown: withoutJudged(route.peek()), page: 1 });
  for (const slideId of relevant) void keep(slideId, null, "relevant");
  for (const slideId of irrelevant) void keep(slideId, null, "irrelevant");
}

/** Rank the list by all judgements. */
export function rankAnew(): void {
  go({ marks: judgedMarks.peek(), shown: withoutJudged(route.peek()), page: 1 });
}

function write(marks: Marks): void {
  const { shown, query } = route.peek();
  const written = JSON.stringify([marks.relevant, marks.irrelevant, keyOf(query)]);
  go({ shown: { ...shown, [JUDGED]: written } }, "replace");
}

async function keep(slideId: string, mark: Mark, before: Mark): Promise<void> {
  const { query } = route.peek();
  if (!query) return;
  const relevant = mark === null ? null : mark === "relevant";
  try {
    await feedback.judge(archiveName.peek(), { query, slide_id: slideId, relevant });
  } catch (error) {
    // Another judgement may have been given meanwhile: that one stands or falls by its own answer.
    if (markOf(judgedMarks.peek(), slideId) === mark) write(withMark(judgedMarks.peek(), slideId, before));
    toast(strings.results.notJudged(asApiError(error).message), "error");
  }
}

/** Those in the address, where they are of its question. */
function judgedOf(of: Route): Marks {
  const [relevant, irrelevant, key] = readJudged(of);
  return key === keyOf(of.query) ? { relevant: relevant.map(String), irrelevant: irrelevant.map(String) } : of.marks;
}

function readJudged({ shown }: Pick<Route, "shown">): [relevant: unknown[], irrelevant: unknown[], key: unknown] {
  try {
    const [relevant, irrelevant, key] = JSON.parse(shown[JUDGED] ?? "[]");
    return [[relevant].flat(), [irrelevant].flat(), key];
  } catch {
    return [[], [], null];
  }
}

/** What tells questions apart, without their words. */
function keyOf(query: Route["query"]): number {
  const text = JSON.stringify(query);
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

function withoutJudged({ shown }: Pick<Route, "shown">): Route["shown"] {
  const { [JUDGED]: _, ...others } = shown;
  return others;
}
