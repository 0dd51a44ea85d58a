import type { Marks } from "../api/types";

/** What was judged of a slide: relevant, irrelevant, or nothing. */
export type Mark = "relevant" | "irrelevant" | null;

// As many as the server takes.
const MOST_RELEVANT = 100;
const MOST_IRRELEVANT = 500;

/** How a slide is marked. */
export function markOf(marks: Marks, slideId: string): Mark {
  if (marks.relevant?.includes(slideId)) return "relevant";
  return marks.irrelevant?.includes(slideId) ? "irrelevant" : null;
}

/** The marks with one slide marked anew; the oldest go where there are more than the server takes. */
export function withMark(marks: Marks, slideId: string, mark: Mark): Marks {
  const without = (ids: readonly string[] = []) => ids.filter((id) => id !== slideId);
  const added = (ids: readonly string[] | undefined, most: number, to: Mark) =>
    (mark === to ? [...without(ids), slideId] : without(ids)).slice(-most);
  return {
    relevant: added(marks.relevant, MOST_RELEVANT, "relevant"),
    irrelevant: added(marks.irrelevant, MOST_IRRELEVANT, "irrelevant"),
  };
}

/** The mark after a button was pressed: pressing the same again takes it back. */
export function toggleMark(current: Mark, pressed: Exclude<Mark, null>): Mark {
  return current === pressed ? null : pressed;
}
