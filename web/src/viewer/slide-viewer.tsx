import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { strings } from "../strings";
import { DrawLayer } from "./draw-layer";
import { type Frame, frameAt } from "./frame";
import { FrameLayer } from "./frame-layer";
import { makeHandle, type SlideHandle } from "./handle";
import { type Heat, HeatLayer, HeatLegend } from "./heat-layer";
import { moveByKey } from "./keys";
import { Navigator } from "./navigator";
import { RegionList, regionFrame } from "./region-list";
import { regionBetween } from "./regions";
import { ScaleBar } from "./scale-bar";
import type { SlideSource } from "./source";
import type { Stage } from "./stage";
import { Toolbar } from "./toolbar";
import { type StageHandle, useStage } from "./use-stage";
import type { Point, Rect } from "./view";
import "./viewer.css";

const NONE: readonly never[] = [];

export interface SlideViewerProps {
  /** What is shown, such as "Query S-12": the viewer's name for screen readers. */
  readonly label: string;
  /** Null: there is no picture (yet); then `children` say why. */
  readonly source: SlideSource | null;
  readonly frames?: readonly Frame[];
  readonly selected?: string | null;
  /** A frame got the focus. */
  readonly onSelect?: (id: string) => void;
  /** A frame was pressed: the viewer itself goes nowhere. */
  readonly onGo?: (id: string) => void;
  readonly heat?: Heat | null;
  /** 0 to 1. */
  readonly heatOpacity?: number;
  readonly regions?: readonly Rect[];
  /** Regions can be drawn when this is given. */
  readonly onRegions?: (regions: readonly Rect[]) => void;
  /** What can be done with drawn regions. */
  readonly regionActions?: ComponentChildren;
  /** Further tools of the toolbar, for the slide that is open. */
  readonly tools?: (slide: SlideHandle) => ComponentChildren;
  /** What lies over the slide, above its frames: boxes as large as the stage that let the pointer through where they want nothing of it. */
  readonly layers?: (slide: SlideHandle) => ComponentChildren;
  /** Told the stage when it is there, and null when it goes: to lock it to another one and to fly to regions. */
  readonly onStage?: (stage: Stage | null) => void;
  /** Shown over the stage while there is no picture. */
  readonly children?: ComponentChildren;
}

/** A slide with deep zoom, frames, a map of weights, and regions to draw. */
export function SlideViewer(props: SlideViewerProps): JSX.Element {
  const { label, source, regions = NONE, onRegions, onStage } = props;
  const root = useRef<HTMLElement>(null);
  const [drawing, setDrawing] = useState<Drawing>(null);
  const frames = [...onSlide(props.frames ?? NONE, source), ...regions.map(regionFrame)];
  const go = (id: string): void => {
    const drawn = frames.find((frame) => frame.id === id && frame.kind === "drawn");
    if (drawn) handle.stage?.flyTo(drawn.rect);
    else props.onGo?.(id);
  };
  const onClick = (place: Point): void => {
    const frame = frameAt(frames, place);
    if (frame) go(frame.id);
  };
  const handle = useStage(source, onClick, onStage);
  const { stage } = handle;
  const open = useOpenSlide(handle, source);
  useEffect(() => setDrawing(null), [source?.key]);
  const endDrawing = (): void => {
    setDrawing(null);
    root.current?.querySelector<HTMLElement>("[role=application]")?.focus();
  };
  const toggleFullPage = () => toggleFullscreen(root.current);
  return (
    <section ref={root} class="viewer" aria-label={label}>
      {stage && source && (
        <Toolbar
          stage={stage}
          umPerPx={source.umPerPx}
          onFullPage={toggleFullPage}
          drawing={onRegions ? drawing !== null : null}
          onDraw={(byKeyboard) => setDrawing(drawing ? null : byKeyboard ? "keyboard" : "pointer")}
        >
          {open && props.tools?.(open)}
        </Toolbar>
      )}
      <StageView {...props} frames={frames} handle={handle} onGo={go} onFullPage={toggleFullPage}>
        {open && props.layers?.(open)}
        {stage && source && drawing && onRegions && (
          <DrawLayer
            stage={stage}
            slide={source.image}
            umPerPx={source.umPerPx}
            byKeyboard={drawing === "keyboard"}
            onAdd={(rect) => onRegions([...regions, rect])}
            onEnd={endDrawing}
          />
        )}
        {!source && <div class="viewer-empty">{props.children}</div>}
      </StageView>
      {source && onRegions && (
        <RegionList
          regions={regions}
          umPerPx={source.umPerPx}
          onShow={(place) => go(`drawn-${place}`)}
          onRemove={(place) => onRegions(regions.filter((_, other) => other !== place))}
        >
          {props.regionActions}
        </RegionList>
      )}
    </section>
  );
}

/** The handle of the slide that is open, the same as long as it is; null while there is none. */
function useOpenSlide({ stage, element }: StageHandle, source: SlideSource | null): SlideHandle | null {
  return useMemo(
    () => stage && source && element.current && makeHandle(stage, source, element.current),
    [stage, source],
  );
}

/** Whether regions are being drawn, and how that began. */
type Drawing = "pointer" | "keyboard" | null;

interface StageViewProps extends SlideViewerProps {
  readonly frames: readonly Frame[];
  readonly handle: StageHandle;
  readonly onGo: (id: string) => void;
  readonly onFullPage: () => void;
}

/** The slide and what lies over it, `children` on top. */
function StageView(props: StageViewProps): JSX.Element {
  const { label, source, handle, heat = null } = props;
  const { stage } = handle;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!stage || !source || !moveByKey(event, stage, props.onFullPage)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class={`viewer-stage ${heat ? "has-heat" : ""}`}>
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
      {stage && source && heat && <HeatLayer view={stage.view} heat={heat} opacity={props.heatOpacity ?? 1} />}
      {stage && source && (
        <>
          <Navigator stage={stage} source={source} />
          <FrameLayer
            view={stage.view}
            frames={props.frames}
            selected={props.selected ?? null}
            onSelect={(id) => props.onSelect?.(id)}
            onGo={props.onGo}
          />
          <div class="viewer-foot">
            <ScaleBar view={stage.view} umPerPx={source.umPerPx} />
            {heat && <HeatLegend heat={heat} />}
          </div>
          {stage.hasFailed.value && (
            <p class="viewer-failure" role="status">
              {strings.viewer.tilesFailed}
            </p>
          )}
        </>
      )}
      {props.children}
    </div>
  );
}

/** Frames cut to the slide: tiles at its edges reach beyond it. */
function onSlide(frames: readonly Frame[], source: SlideSource | null): readonly Frame[] {
  if (!source) return NONE;
  return frames.flatMap((frame) => {
    const { x, y, width, height } = frame.rect;
    const rect = regionBetween(source.image, { x, y }, { x: x + width, y: y + height });
    return rect ? [{ ...frame, rect }] : [];
  });
}

function toggleFullscreen(element: HTMLElement | null): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void element?.requestFullscreen();
}
