import type { JSX } from "preact";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { QUARTER } from "./input";
import type { Stage } from "./stage";
import { ToolPanel } from "./tool-panel";
import { type Turn, UPRIGHT } from "./view";

const text = strings.viewer;

/** A button that opens what turns and flips the slide; shift and a drag on the slide turn it, too. */
export function TurnTool({ stage }: { stage: Stage }): JSX.Element {
  const turn = stage.view.value?.turn ?? UPRIGHT;
  return (
    <ToolPanel icon="turn" label={text.turn} pressed={turn.degrees !== 0 || turn.flipped} class="viewer-turn">
      <TurnControls stage={stage} turn={turn} />
    </ToolPanel>
  );
}

function TurnControls({ stage, turn }: { stage: Stage; turn: Turn }): JSX.Element {
  const seen = seenDegrees(turn);
  const turnTo = (degrees: number): void => stage.turnTo({ ...turn, degrees: turn.flipped ? -degrees : degrees });
  return (
    <>
      <IconButton icon="turnBack" label={text.turnLeft} onClick={() => stage.turnBy(-QUARTER)} />
      <input
        type="range"
        min={-180}
        max={180}
        aria-label={text.angle}
        aria-valuetext={text.degrees(seen)}
        value={Math.round(seen)}
        onInput={(event) => turnTo(Number(event.currentTarget.value))}
      />
      <output>{text.degrees(seen)}</output>
      <IconButton icon="turn" label={text.turnRight} onClick={() => stage.turnBy(QUARTER)} />
      <IconButton icon="flip" label={text.flip} pressed={turn.flipped} onClick={() => stage.flip()} />
      <Button kind="quiet" disabled={seen === 0 && !turn.flipped} onClick={() => stage.turnTo(UPRIGHT)}>
        {text.upright}
      </Button>
    </>
  );
}

/** From -180 to 180, clockwise as it is seen. */
function seenDegrees({ degrees, flipped }: Turn): number {
  const within = degrees > 180 ? degrees - 360 : degrees;
  return flipped && within !== 0 ? -within : within;
}
