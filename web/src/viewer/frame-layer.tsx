import type { ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { type Frame, inkOn } from "./frame";
import { boundsOnScreen, inPx, isVisible, type PlacedBox, placeBox, type Rect, type Size, type View } from "./view";

const LABEL_PX = 22;

export interface FrameLayerProps {
  readonly view: ReadonlySignal<View | null>;
  readonly frames: readonly Frame[];
  readonly selected: string | null;
  readonly onSelect: (id: string) => void;
  readonly onGo: (id: string) => void;
}

/** Borders around regions, as wide at every zoom, with buttons at their corners. */
export function FrameLayer({ view, frames, selected, onSelect, onGo }: FrameLayerProps): JSX.Element {
  const now = view.value;
  return (
    <div class="viewer-frames">
      {now &&
        frames.map((frame) => {
          const bounds = boundsOnScreen(now, frame.rect);
          if (!isVisible(now.stage, bounds)) return null;
          return (
            <FrameBox
              key={frame.id}
              frame={frame}
              box={placeBox(now, frame.rect)}
              bounds={bounds}
              stage={now.stage}
              isSelected={frame.id === selected}
              onSelect={() => onSelect(frame.id)}
              onGo={() => onGo(frame.id)}
            />
          );
        })}
    </div>
  );
}

interface FrameBoxProps {
  readonly frame: Frame;
  readonly box: PlacedBox;
  /** What it takes of the screen, turned as it is. */
  readonly bounds: Rect;
  readonly stage: Size;
  readonly isSelected: boolean;
  readonly onSelect: () => void;
  readonly onGo: () => void;
}

function FrameBox({ frame, box, bounds, stage, isSelected, onSelect, onGo }: FrameBoxProps): JSX.Element {
  const { colour, kind, label, name } = frame;
  return (
    <>
      <div
        class={`viewer-frame viewer-frame-${kind} ${isSelected ? "is-selected" : ""}`}
        style={{ ...box, borderColor: colour }}
      />
      <button
        type="button"
        class="viewer-frame-label"
        style={{ ...placed(...corner(bounds, stage)), background: colour, color: inkOn(colour) }}
        aria-label={name}
        aria-pressed={isSelected}
        title={name}
        onFocus={onSelect}
        onClick={onGo}
      >
        {label}
      </button>
    </>
  );
}

/** Where the label goes: on the frame's top edge, but within the stage as long as a part of the frame is. */
function corner(bounds: Rect, stage: Size): [number, number] {
  const within = (at: number, most: number) => Math.max(0, Math.min(at, most - LABEL_PX));
  return [within(bounds.x, stage.width), within(bounds.y - LABEL_PX, stage.height)];
}

function placed(x: number, y: number): { transform: string } {
  return { transform: `translate(${inPx(x)}, ${inPx(y)})` };
}
