import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { AddDialog } from "../collections/add-dialog";
import { pressMark } from "../results/judging";
import { markOf } from "../results/marks";
import { route } from "../state/navigation";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";

const words = strings.results;

/** Say whether a result is relevant, or keep it. */
export function Judge({ slideId }: { slideId: string }): JSX.Element {
  const [adding, setAdding] = useState<readonly string[] | null>(null);
  const mark = markOf(route.value.marks, slideId);
  return (
    <div class="compare-judge">
      <Button
        icon="check"
        pressed={mark === "relevant"}
        title={words.relevantHint}
        onClick={() => pressMark(slideId, "relevant")}
      >
        {words.relevant}
      </Button>
      <Button
        icon="minus"
        pressed={mark === "irrelevant"}
        title={words.irrelevantHint}
        onClick={() => pressMark(slideId, "irrelevant")}
      >
        {strings.compare.irrelevant}
      </Button>
      <IconButton icon="collection" kind="plain" label={words.collect} onClick={() => setAdding([slideId])} />
      <AddDialog slideIds={adding} onClose={() => setAdding(null)} />
    </div>
  );
}
