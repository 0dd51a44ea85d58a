import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { strings } from "../strings";
import { Button } from "../ui/button";
import type { Lock } from "./use-lock";

const texts = strings.compare;

export const OVERLAYS = ["off", "attention", "contribution"] as const;
export type Overlay = (typeof OVERLAYS)[number];

export interface ControlsProps {
  readonly overlay: Overlay;
  /** Whether there are maps to lay over the slides. */
  readonly hasMaps: boolean;
  readonly onOverlay: (overlay: Overlay) => void;
  /** 0 to 1. */
  readonly opacity: number;
  readonly onOpacity: (opacity: number) => void;
  /** Null where there is one slide only. */
  readonly lock: Lock | null;
}

/** What lies over the slides, and whether they move together. */
export function Controls({ overlay, hasMaps, onOverlay, opacity, onOpacity, lock }: ControlsProps): JSX.Element {
  const slider = useId();
  return (
    <>
      {overlay !== "off" && <p class="print-only">{[texts.overlay, texts.overlays[overlay]].join(": ")}</p>}
      <div class="compare-controls screen-only">
        <fieldset class="compare-overlays">
          <legend>{texts.overlay}</legend>
          {OVERLAYS.map((name) => (
            <Button
              key={name}
              pressed={overlay === name}
              disabled={!hasMaps && name !== "off"}
              title={hasMaps ? texts.overlayTips[name] : texts.noMaps}
              onClick={() => onOverlay(name)}
            >
              {texts.overlays[name]}
            </Button>
          ))}
        </fieldset>
        <div class="compare-opacity">
          <label for={slider}>{texts.opacity}</label>
          <input
            id={slider}
            type="range"
            min={0}
            max={100}
            step={5}
            value={Math.round(opacity * 100)}
            disabled={overlay === "off"}
            aria-valuetext={texts.percent(opacity)}
            onInput={(event) => onOpacity(Number(event.currentTarget.value) / 100)}
          />
        </div>
        {lock && (
          <Button
            icon={lock.isLocked ? "link" : "unlink"}
            pressed={lock.isLocked}
            disabled={!lock.canLock}
            title={texts.lockTip}
            onClick={() => lock.set(!lock.isLocked)}
          >
            {texts.lock}
          </Button>
        )}
      </div>
    </>
  );
}
