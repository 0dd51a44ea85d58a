import type { JSX } from "preact";
import { useId, useRef, useState } from "preact/hooks";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { QUARTER } from "./keys";
import type { Stage } from "./stage";
import { type Turn, UPRIGHT } from "./view";

const text = strings.viewer;

/** A button that opens what turns and flips the slide; shift and a drag on the slide turn it, too. */
export function TurnTool({ stage }: { stage: Stage }): JSX.Element {
  const [isOpen, setIsOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!isOpen) return;
    if (event.key === "Escape") {
      setIsOpen(false);
      root.current?.querySelector<HTMLElement>(":scope > button")?.focus();
    } else if (!event.key.startsWith("Arrow")) return;
    // Arrow keys are the slider's, not the toolbar's.
    event.stopPropagation();
  };
  const turn = stage.view.value?.turn ?? UPRIGHT;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of what is in it come up to here.
    <div ref={root} class="viewer-turn" onKeyDown={onKeyDown}>
      <IconButton
        icon="turn"
        label={text.turn}
        pressed={turn.degrees !== 0 || turn.flipped}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setIsOpen(!isOpen)}
      />
      <div id={id} class="viewer-turn-panel" hidden={!isOpen}>
        {isOpen && <TurnControls stage={stage} turn={turn} />}
      </div>
    </div>
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
