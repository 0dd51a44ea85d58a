import type { ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { inPx, type Point, toScreen, type View } from "./view";

/** Points that are being chosen on a slide. */
export interface Picking {
  /** In level-0 px. */
  readonly points: readonly Point[];
  readonly onPick: (point: Point) => void;
}

/** A cross where a point was chosen, numbered; and one in the middle, where a key chooses. */
export function PickLayer({ view, points }: { view: ReadonlySignal<View | null>; points: readonly Point[] }) {
  const now = view.value;
  if (!now) return null;
  return (
    <div class="viewer-picks" aria-hidden="true">
      <Cross at={{ x: now.stage.width / 2, y: now.stage.height / 2 }} />
      {points.map((point, place) => (
        <Cross key={`${point.x} ${point.y}`} at={toScreen(now, point)} label={String(place + 1)} />
      ))}
    </div>
  );
}

function Cross({ at, label }: { at: Point; label?: string }): JSX.Element {
  return (
    <span
      class={`viewer-pick ${label ? "" : "viewer-pick-middle"}`}
      style={{ transform: `translate(${inPx(at.x)}, ${inPx(at.y)})` }}
    >
      {label}
    </span>
  );
}
