import type { JSX } from "preact";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Icon } from "../ui/icons";
import { clearMarks, isRanked, judgedMarks, rankAnew, setMark } from "./judgements";
import type { Mark } from "./marks";

const words = strings.results.marks;

/** What was judged, each to be taken back; nothing where nothing was. */
export function MarksBar(): JSX.Element | null {
  const { relevant, irrelevant } = judgedMarks.value;
  const count = relevant.length + irrelevant.length;
  if (count === 0 && isRanked.value) return null;
  return (
    <section class="results-chips" aria-label={words.title}>
      {isRanked.value ? (
        <span>{words.rankedAnew}</span>
      ) : (
        <Button kind="primary" onClick={rankAnew}>
          {words.rankAnew(count)}
        </Button>
      )}
      {relevant.map((id) => (
        <MarkChip key={id} slideId={id} mark="relevant" />
      ))}
      {irrelevant.map((id) => (
        <MarkChip key={id} slideId={id} mark="irrelevant" />
      ))}
      <Button kind="quiet" onClick={clearMarks}>
        {words.clear}
      </Button>
    </section>
  );
}

function MarkChip({ slideId, mark }: { slideId: string; mark: Exclude<Mark, null> }): JSX.Element {
  return (
    <button
      type="button"
      class={`results-chip results-chip-${mark}`}
      aria-label={words.takeBack(slideId, mark)}
      onClick={() => setMark(slideId, null)}
    >
      <Icon name={mark === "relevant" ? "check" : "minus"} size={14} />
      {slideId}
      <Icon name="close" size={12} />
    </button>
  );
}
