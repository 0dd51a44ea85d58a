import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { CollectDialog, openAddDialog } from "../collections/add-dialog";
import { useShortcuts } from "../state/shortcuts";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { judgedMarks, pressMark } from "./judgements";
import { markOf } from "./marks";
import "./judge-buttons.css";

const words = strings.results;

/** Relevant, not relevant, add to a collection; alsoCollected: slides that are collected with it. */
export function JudgeButtons(props: { slideId: string; alsoCollected?: readonly string[] }): JSX.Element {
  const { slideId, alsoCollected = [] } = props;
  const mark = markOf(judgedMarks.value, slideId);
  return (
    <>
      <Button
        icon="check"
        title={words.relevantHint}
        pressed={mark === "relevant"}
        onClick={() => pressMark(slideId, "relevant")}
      >
        {words.relevant}
      </Button>
      <Button
        icon="minus"
        title={words.irrelevantHint}
        pressed={mark === "irrelevant"}
        onClick={() => pressMark(slideId, "irrelevant")}
      >
        {words.irrelevant}
      </Button>
      <IconButton
        icon="collection"
        label={words.collectOne}
        onClick={() => openAddDialog([slideId, ...alsoCollected])}
      />
    </>
  );
}

/** The same for the one slide that is looked at, with keys, and the dialog that asks for the collection. */
export function JudgeSlide({ slideId }: { slideId: string }): JSX.Element {
  const keys = useMemo(
    () => [
      { key: "c", label: words.keys.collect, run: () => openAddDialog([slideId]) },
      { key: "y", label: words.keys.relevant, run: () => pressMark(slideId, "relevant") },
      { key: "x", label: words.keys.irrelevant, run: () => pressMark(slideId, "irrelevant") },
    ],
    [slideId],
  );
  useShortcuts(keys);
  return (
    <fieldset class="judge-buttons" aria-label={words.actions(slideId)}>
      <JudgeButtons slideId={slideId} />
      <CollectDialog />
    </fieldset>
  );
}
