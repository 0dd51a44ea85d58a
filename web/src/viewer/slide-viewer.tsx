import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useMode } from "../state/modes";
import { isTyping } from "../state/shortcuts";
import type { Overlay } from "./contour-layer";
import { DrawLayer } from "./draw-layer";
import { type Frame, frameAt } from "./frame";
import { makeHandle, type SlideHandle } from "./handle";
import { zoomByKey } from "./input";
import type { Picking } from "./pick-layer";
import { RegionList, regionFrame } from "./region-list";
import { regionBetween } from "./regions";
import type { SlideSource } from "./source";
import type { Stage } from "./stage";
import { StageView } from "./stage-view";
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
  readonly overlay?: Overlay | null;
  /** While points are chosen: a click chooses one, and opens no frame. */
  readonly picking?: Picking | null;
  /** What the toolbar begins with, also while there is no picture. */
  readonly heading?: ComponentChildren;
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

/** A slide with deep zoom, frames, contours of weights, and regions to draw. */
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
    if (props.picking) {
      props.picking.onPick(place);
      return;
    }
    const frame = frameAt(frames, place);
    if (frame) go(frame.id);
  };
  const handle = useStage(source, onClick, onStage);
  const { stage } = handle;
  const open = useOpenSlide(handle, source);
  useEffect(() => setDrawing(null), [source?.key]);
  useMode(drawing !== null, source ? [source.key] : NONE, () => setDrawing(null));
  const endDrawing = (): void => {
    setDrawing(null);
    root.current?.querySelector<HTMLElement>("[role=application]")?.focus();
  };
  const toggleFullPage = () => toggleFullscreen(root.current);
  // Keys that zoom from anywhere zoom this slide from its own tools and layers.
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!stage || !source || event.defaultPrevented || isTyping(event)) return;
    if (zoomByKey(event, stage)) event.preventDefault();
  };
  return (
    <section ref={root} class="viewer" aria-label={label} onKeyDown={onKeyDown}>
      <div class="viewer-bar">
        {props.heading}
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
      </div>
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
        {!source && <div class="viewer-empty">{props.children}</div>}
      </StageView>
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
