import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useEscape } from "../state/shortcuts";
import { strings } from "../strings";
import { ARROWS, pointIn } from "./input";
import { extentText } from "./lengths";
import { moveRegion, regionAround, regionBetween, resizeRegion } from "./regions";
import type { Stage } from "./stage";
import { type PlacedBox, type Point, placeBox, type Rect, type Size, stepOnSlide, toSlide, type View } from "./view";

/** What is dragged over less than this is a click, not a region. */
const LEAST_PX = 8;
const KEY_STEP_PX = 12;
/** A region that is placed by keys begins as wide as this share of the stage. */
const FIRST_SHARE = 0.3;

export interface DrawLayerProps {
  readonly stage: Stage;
  readonly slide: Size;
  readonly umPerPx: number | null;
  /** Begin with a region in the middle, to be moved by keys. */
  readonly byKeyboard: boolean;
  readonly onAdd: (rect: Rect) => void;
  readonly onEnd: () => void;
}

/** Takes what the pointer and the keys do while regions are drawn. */
export function DrawLayer(props: DrawLayerProps): JSX.Element {
  const { stage, umPerPx } = props;
  const layer = useRef<HTMLDivElement>(null);
  const { pending, ...handlers } = useDrawing(props);
  const view = stage.view.value;
  useLayoutEffect(() => layer.current?.focus(), []);
  useEscape(true, strings.viewer.endDrawing, props.onEnd);
  return (
    <>
      <div
        ref={layer}
        class="viewer-draw"
        role="application"
        aria-label={strings.viewer.drawing}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys draw here.
        tabIndex={0}
        {...handlers}
      >
        {view && pending && <PendingBox box={placeBox(view, pending)} />}
      </div>
      <p class="viewer-draw-hint" role="status">
        {pending && umPerPx !== null && <b>{extentText(pending.width * umPerPx, pending.height * umPerPx)} </b>}
        {strings.viewer.drawHint}
      </p>
    </>
  );
}

type Handlers = Pick<
  JSX.IntrinsicElements["div"],
  "onPointerDown" | "onPointerMove" | "onPointerUp" | "onPointerCancel" | "onKeyDown"
>;

/** The region that is being drawn, null while there is none, and what draws it. */
function useDrawing({ stage, slide, byKeyboard, onAdd }: DrawLayerProps): Handlers & { pending: Rect | null } {
  // Of the pointer that draws: another finger neither draws nor ends.
  const from = useRef<(Point & { readonly pointer: number }) | null>(null);
  const [pending, setPending] = useState<Rect | null>(() => (byKeyboard ? first(stage.view.peek(), slide) : null));
  const finish = (drawn: Rect | null): void => {
    from.current = null;
    setPending(null);
    if (drawn) onAdd(drawn);
  };
  const isDrawing = ({ pointerId }: PointerEvent): boolean => from.current?.pointer === pointerId;
  const drawnTo = (event: PointerEvent, view: View): Rect | null =>
    from.current && regionBetween(slide, from.current, toSlide(view, pointIn(event.currentTarget, event)));
  return {
    pending,
    onPointerDown: (event) => {
      const view = stage.view.peek();
      if (!view || event.button !== 0 || !event.isPrimary) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      from.current = { ...toSlide(view, pointIn(event.currentTarget, event)), pointer: event.pointerId };
    },
    onPointerMove: (event) => {
      const view = stage.view.peek();
      if (view && isDrawing(event)) setPending(drawnTo(event, view));
    },
    onPointerUp: (event) => {
      if (!isDrawing(event)) return;
      const view = stage.view.peek();
      const drawn = view && drawnTo(event, view);
      finish(drawn && Math.max(drawn.width, drawn.height) >= LEAST_PX * view.scale ? drawn : null);
    },
    onPointerCancel: (event) => isDrawing(event) && finish(null),
    onKeyDown: (event) => {
      const view = stage.view.peek();
      const next = view && keyed(event, pending, view, slide);
      if (event.key === "Enter" && pending) finish(pending);
      else if (next) {
        setPending(next);
        stage.reveal(next);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    },
  };
}

function PendingBox({ box }: { box: PlacedBox }): JSX.Element {
  return <div class="viewer-frame viewer-frame-drawn is-selected" style={{ ...box, borderColor: "#000000" }} />;
}

/** The region after a key: moved by arrows, resized by arrows with shift; null for other keys. */
function keyed(event: KeyboardEvent, pending: Rect | null, view: View, slide: Size): Rect | null {
  const arrow = ARROWS[event.key];
  if (!arrow && event.key !== "Enter") return null;
  const rect = pending ?? first(view, slide);
  if (!arrow || !rect) return rect;
  const scale = Math.max(view.scale, 1 / KEY_STEP_PX);
  const by = stepOnSlide({ ...view, scale }, { x: arrow.x * KEY_STEP_PX, y: arrow.y * KEY_STEP_PX });
  return event.shiftKey ? resizeRegion(slide, rect, by, LEAST_PX * view.scale) : moveRegion(slide, rect, by);
}

function first(view: View | null, slide: Size): Rect | null {
  return (
    view && regionAround(slide, view.centre, FIRST_SHARE * view.scale * Math.min(view.stage.width, view.stage.height))
  );
}
