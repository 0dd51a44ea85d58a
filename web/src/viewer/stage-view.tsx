import type { JSX } from "preact";
import { strings } from "../strings";
import { ContourLayer, OverlayLegend } from "./contour-layer";
import type { Frame } from "./frame";
import { FrameLayer } from "./frame-layer";
import { moveByKey } from "./input";
import { Navigator } from "./navigator";
import { PickLayer } from "./pick-layer";
import { ScaleBar } from "./scale-bar";
import type { SlideViewerProps } from "./slide-viewer";
import type { SlideSource } from "./source";
import type { Stage } from "./stage";
import type { StageHandle } from "./use-stage";

export interface StageViewProps extends SlideViewerProps {
  readonly frames: readonly Frame[];
  readonly handle: StageHandle;
  readonly onGo: (id: string) => void;
  readonly onFullPage: () => void;
}

/** What lies over a slide and leaves the wheel to it. */
const OVER_SLIDE = ".viewer-draw, .viewer-frames, .viewer-navigator, .annotations-layer";

/** The slide and what lies over it, `children` on top. */
export function StageView(props: StageViewProps): JSX.Element {
  const { label, source, handle, picking = null } = props;
  const { stage } = handle;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!stage || !source) return;
    const middle = stage.view.peek()?.centre;
    const isPick = event.key === "Enter" && picking !== null && middle !== undefined;
    if (isPick) picking.onPick(middle);
    else if (!moveByKey(event, stage, props.onFullPage)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onWheel = (event: WheelEvent): void => {
    const canvas = handle.element.current?.querySelector("canvas");
    if (!canvas || !(event.target as Element).closest(OVER_SLIDE)) return;
    canvas.dispatchEvent(new WheelEvent("wheel", event));
    event.preventDefault();
  };
  return (
    <div class={`viewer-stage ${picking ? "is-picking" : ""}`} onWheel={onWheel}>
      <div
        class="viewer-slide"
        role="application"
        aria-label={strings.viewer.stage(label)}
        aria-busy={source !== null && stage?.completeSource.value !== source.key}
        tabIndex={source ? 0 : -1}
        onKeyDown={onKeyDown}
      >
        <div ref={handle.element} class="viewer-canvas" />
      </div>
      {stage && source && <Layers {...props} stage={stage} source={source} />}
      {props.children}
    </div>
  );
}

function Layers(props: StageViewProps & { readonly stage: Stage; readonly source: SlideSource }): JSX.Element {
  const { stage, source, overlay = null, picking = null } = props;
  return (
    <>
      {overlay && <ContourLayer view={stage.view} overlay={overlay} />}
      <Navigator stage={stage} source={source} />
      <FrameLayer
        view={stage.view}
        frames={props.frames}
        selected={props.selected ?? null}
        onSelect={(id) => props.onSelect?.(id)}
        onGo={props.onGo}
      />
      {picking && <PickLayer view={stage.view} points={picking.points} />}
      <div class="viewer-foot">
        <ScaleBar view={stage.view} umPerPx={source.umPerPx} />
        {overlay && <OverlayLegend overlay={overlay} />}
      </div>
      {stage.hasFailed.value && (
        <p class="viewer-failure" role="status">
          {strings.viewer.tilesFailed}
        </p>
      )}
    </>
  );
}
