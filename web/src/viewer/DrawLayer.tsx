import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { strings } from "../strings";
import { around, between, moved, resized } from "./regions";
import { areaText } from "./scalebar";
import type { Stage } from "./stage";
import { type Point, type Rect, rectToScreen, type Size, toSlide, type View } from "./view";

/** What is dragged over less than this is a click, not a region. */
const LEAST_PX = 8;
const KEY_STEP_PX = 12;
/** A region that is placed by keys begins as wide as this share of the stage. */
const FIRST_SHARE = 0.3;

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

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
export function DrawLayer({ stage, slide, umPerPx, byKeyboard, onAdd, onEnd }: DrawLayerProps): JSX.Element {
  const layer = useRef<HTMLDivElement>(null);
  const from = useRef<Point | null>(null);
  const [pending, setPending] = useState<Rect | null>(() => (byKeyboard ? first(stage.view.peek(), slide) : null));
  const view = stage.view.value;
  useEffect(() => layer.current?.focus(), []);

  const add = (rect: Rect | null): void => {
    setPending(null);
    if (rect) onAdd(rect);
  };
  const onPointer = (event: PointerEvent): void => {
    if (!view || !layer.current) return;
    const place = toSlide(view, pointIn(layer.current, event));
    if (event.type === "pointerdown") {
      if (event.button !== 0 || !event.isPrimary) return;
      layer.current.setPointerCapture(event.pointerId);
      from.current = place;
    }
    if (!from.current) return;
    const drawn = between(slide, from.current, place);
    if (event.type === "pointerup") {
      from.current = null;
      add(drawn && Math.max(drawn.width, drawn.height) >= LEAST_PX * view.scale ? drawn : null);
    } else setPending(drawn);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const next = view && keyed(event, pending, view, slide);
    if (event.key === "Escape") onEnd();
    else if (event.key === "Enter" && pending) add(pending);
    else if (next) {
      setPending(next);
      stage.reveal(next);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onCancel = (): void => {
    from.current = null;
    setPending(null);
  };
  return (
    <>
      <div
        ref={layer}
        class="viewer-draw"
        role="application"
        aria-label={strings.viewer.drawing}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys draw here.
        tabIndex={0}
        onPointerDown={onPointer}
        onPointerMove={onPointer}
        onPointerUp={onPointer}
        onPointerCancel={onCancel}
        onKeyDown={onKeyDown}
      >
        {view && pending && <PendingBox box={rectToScreen(view, pending)} />}
      </div>
      <p class="viewer-draw-hint" role="status">
        {pending && umPerPx !== null && <b>{areaText(pending.width * umPerPx, pending.height * umPerPx)} </b>}
        {strings.viewer.drawHint}
      </p>
    </>
  );
}

function PendingBox({ box }: { box: Rect }): JSX.Element {
  const transform = `translate(${box.x.toFixed(1)}px, ${box.y.toFixed(1)}px)`;
  const [width, height] = [`${box.width.toFixed(1)}px`, `${box.height.toFixed(1)}px`];
  return (
    <div
      class="viewer-frame viewer-frame-drawn is-selected"
      style={{ transform, width, height, borderColor: "#000000" }}
    />
  );
}

/** The region after a key: moved by arrows, resized by arrows with shift; null for other keys. */
function keyed(event: KeyboardEvent, pending: Rect | null, view: View, slide: Size): Rect | null {
  const arrow = ARROWS[event.key];
  if (!arrow && event.key !== "Enter") return null;
  const rect = pending ?? first(view, slide);
  if (!arrow || !rect) return rect;
  const step = Math.max(1, KEY_STEP_PX * view.scale);
  const by = { x: arrow.x * step, y: arrow.y * step };
  return event.shiftKey ? resized(slide, rect, by, LEAST_PX * view.scale) : moved(slide, rect, by);
}

function first(view: View | null, slide: Size): Rect | null {
  return view && around(slide, view.centre, FIRST_SHARE * view.scale * Math.min(view.stage.width, view.stage.height));
}

function pointIn(element: HTMLElement, event: PointerEvent): Point {
  const { left, top } = element.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}
