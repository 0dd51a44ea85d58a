import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useEscape } from "../state/shortcuts";
import { strings } from "../strings";
import type { SlideHandle } from "../viewer/handle";
import { ARROWS, pointIn } from "../viewer/input";
import { lengthText } from "../viewer/lengths";
import { type Point, stepOnSlide, toScreen, toSlide, type View } from "../viewer/view";
import { DRAGGED, finish, type Step, setPoint, type Tool } from "./draft";
import { type Geometry, lengthOf, onSlide, pathsOf } from "./geometry";

const NEAR_PX = 6;
const KEY_STEP_PX = 8;
const PENCIL_STEP_PX = 3;

export interface DrawingLayerProps {
  readonly slide: SlideHandle;
  readonly tool: Tool;
  /** A line that was measured and not kept. */
  readonly measured: Geometry | null;
  /** The first point of something was set. */
  readonly onBegin: () => void;
  readonly onDone: (geometry: Geometry) => void;
  readonly onEnd: () => void;
}

/** Takes what the pointer and the keys do while something is drawn or measured. */
export function DrawingLayer(props: DrawingLayerProps): JSX.Element | null {
  const { slide, tool, measured } = props;
  const layer = useRef<HTMLDivElement>(null);
  const { points, cursor, ...handlers } = useDraft(props);
  const view = slide.view.value;
  useLayoutEffect(() => holdFocus(layer.current, slide), []);
  if (!view) return null;
  const kept = measured && !points.length ? (pathsOf(measured)[0] ?? []) : [];
  const line = points.length ? draftLine(tool, points, cursor) : kept;
  const texts = strings.annotations;
  return (
    <>
      <div
        ref={layer}
        class="viewer-draw annotations-draw"
        role="application"
        aria-label={texts.drawing(texts.tools[tool])}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys draw here.
        tabIndex={0}
        {...handlers}
      >
        <svg class="annotations-shapes" aria-hidden="true">
          <Line points={line.map((point) => toScreen(view, point))} />
          {cursor && <Cross {...toScreen(view, cursor)} />}
        </svg>
      </div>
      <p class="viewer-draw-hint" role="status">
        {line.length > 1 && slide.source.umPerPx !== null && (tool === "ruler" || tool === "line") && (
          <b>{lengthText(lengthOf(line) * slide.source.umPerPx)} </b>
        )}
        {texts.hints[tool]}
      </p>
    </>
  );
}

type Handlers = Pick<
  JSX.IntrinsicElements["div"],
  "onPointerDown" | "onPointerMove" | "onPointerUp" | "onPointerCancel" | "onKeyDown"
>;

/** The points that were set, where the pointer or the cross of the keys is, and what sets more. */
function useDraft({ slide, tool, onBegin, onDone, onEnd }: DrawingLayerProps): Handlers & {
  points: readonly Point[];
  cursor: Point | null;
} {
  const [points, setPoints] = useState<readonly Point[]>([]);
  const [cursor, setCursor] = useState<Point | null>(null);
  // The pointer that is down: another finger neither draws nor ends.
  const [down, setDown] = useState<number | null>(null);
  const isDragged = DRAGGED.includes(tool);
  const take = ({ points: next, done }: Step): void => {
    if (!points.length) onBegin();
    setPoints(next);
    if (done) onDone(done);
  };
  const placeOf = (event: PointerEvent & { currentTarget: EventTarget | null }, view: View): Point =>
    onSlide(toSlide(view, pointIn(event.currentTarget, event)), slide.source.image);
  const drop = (): void => {
    setDown(null);
    setPoints([]);
  };
  useEscape(true, strings.annotations.endDrawing, () => (points.length ? drop() : onEnd()));
  return {
    points,
    cursor,
    onPointerDown: (event) => {
      const view = slide.view.peek();
      if (!view || event.button !== 0 || !event.isPrimary) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      const place = placeOf(event, view);
      setDown(event.pointerId);
      setCursor(place);
      if (isDragged) setPoints([place]);
      else take(setPoint(tool, points, place, NEAR_PX * view.scale));
    },
    onPointerMove: (event) => {
      const view = slide.view.peek();
      if (!view || (down ?? event.pointerId) !== event.pointerId) return;
      const place = placeOf(event, view);
      setCursor(place);
      if (tool === "pencil" && down !== null && isFar(points.at(-1), place, PENCIL_STEP_PX * view.scale)) {
        setPoints([...points, place]);
      }
    },
    onPointerUp: ({ pointerId }) => {
      if (down !== pointerId) return;
      setDown(null);
      if (!isDragged) return;
      take(finish(tool, tool === "rectangle" && cursor ? [...points, cursor] : points));
      setPoints([]);
    },
    onPointerCancel: ({ pointerId }) => down === pointerId && drop(),
    onKeyDown: (event) => {
      const view = slide.view.peek();
      const arrow = ARROWS[event.key];
      if (!view) return;
      if (event.key === "Backspace") setPoints(points.slice(0, -1));
      else if (event.key === "Enter") {
        const place = cursor ?? view.centre;
        setCursor(place);
        take(setPoint(tool, points, onSlide(place, slide.source.image), 0));
      } else if (arrow) {
        const times = KEY_STEP_PX * (event.shiftKey ? 5 : 1);
        const step = stepOnSlide(view, { x: arrow.x * times, y: arrow.y * times });
        const from = cursor ?? view.centre;
        setCursor(onSlide({ x: from.x + step.x, y: from.y + step.y }, slide.source.image));
      } else return;
      event.preventDefault();
      event.stopPropagation();
    },
  };
}

/** Focus a layer; the answer gives the focus to the slide, unless it went elsewhere. */
function holdFocus(layer: HTMLElement | null, slide: SlideHandle): () => void {
  layer?.focus();
  return () => {
    if (layer?.contains(document.activeElement)) slide.focus();
  };
}

/** The points as they would be with the next one. */
function draftLine(tool: Tool, points: readonly Point[], cursor: Point | null): readonly Point[] {
  const [first] = points;
  if (!cursor || !first || tool === "pencil") return points;
  if (tool !== "rectangle") return [...points, cursor];
  return [first, { x: cursor.x, y: first.y }, cursor, { x: first.x, y: cursor.y }, first];
}

function Line({ points }: { points: readonly Point[] }): JSX.Element {
  const path = points.map(({ x, y }) => `${x},${y}`).join(" ");
  return (
    <g class="is-draft">
      <polyline class="annotations-edge" points={path} />
      <polyline class="annotations-line" points={path} />
      {points.map(({ x, y }) => (
        <circle key={`${x} ${y}`} class="annotations-stop" cx={x} cy={y} r={2.5} />
      ))}
    </g>
  );
}

function Cross({ x, y }: Point): JSX.Element {
  return <path class="annotations-cross" d={`M${x - 9} ${y}h18M${x} ${y - 9}v18`} />;
}

function isFar(last: Point | undefined, place: Point, least: number): boolean {
  return !last || Math.hypot(place.x - last.x, place.y - last.y) >= least;
}
