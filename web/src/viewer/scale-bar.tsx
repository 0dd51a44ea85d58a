import type { ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { strings } from "../strings";
import { scaleBar } from "./lengths";
import { magnification, magnificationText } from "./magnification";
import type { View } from "./view";

const MOST_PX = 130;

/** A bar of a round length of tissue, and the magnification; nothing where the size of a px is not known. */
export function ScaleBar(props: { view: ReadonlySignal<View | null>; umPerPx: number | null }): JSX.Element | null {
  const view = props.view.value;
  if (!view) return null;
  if (!props.umPerPx) return <div class="viewer-scale">{strings.viewer.noScale}</div>;
  const umPerScreenPx = view.scale * props.umPerPx;
  const bar = scaleBar(umPerScreenPx, MOST_PX);
  return (
    <div class="viewer-scale">
      <div class="viewer-scale-length" role="img" aria-label={strings.viewer.scaleBar(bar.text)}>
        <span aria-hidden="true">{bar.text}</span>
        <div class="viewer-scale-line" style={{ width: `${bar.px.toFixed(1)}px` }} />
      </div>
      <span class="viewer-scale-magnification">{magnificationText(magnification(umPerScreenPx))}</span>
    </div>
  );
}
