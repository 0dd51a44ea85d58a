/** Relevant or not: kept by the server, and part of the address, so that the results are ranked anew. */
import { feedback } from "../api/endpoints";
import { asApiError } from "../api/error";
import { archiveName } from "../state/archives";
import { go, route } from "../state/navigation";
import { NO_MARKS } from "../state/route";
import { toast } from "../state/toasts";
import { type Mark, markOf, toggleMark, withMark } from "./marks";

/** Press the button of a mark: the slide is marked so, or no longer. */
export function pressMark(slideId: string, pressed: Exclude<Mark, null>): void {
  setMark(slideId, toggleMark(markOf(route.peek().marks, slideId), pressed));
}

/** Mark a slide, or take its mark back. */
export function setMark(slideId: string, mark: Mark): void {
  go({ marks: withMark(route.peek().marks, slideId, mark), page: 1 });
  void keep(slideId, mark);
}

/** Take all marks back. */
export function clearMarks(): void {
  const { relevant = [], irrelevant = [] } = route.peek().marks;
  go({ marks: NO_MARKS, page: 1 });
  for (const slideId of [...relevant, ...irrelevant]) void keep(slideId, null);
}

async function keep(slideId: string, mark: Mark): Promise<void> {
  const { query } = route.peek();
  if (!query) return;
  const relevant = mark === null ? null : mark === "relevant";
  try {
    await feedback.judge(archiveName.peek(), { query, slide_id: slideId, relevant });
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}
