import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { isDark } from "../state/theme";
import { strings } from "../strings";
import { drawMap, stampsOf } from "./draw";
import type { Group } from "./groups";
import { nearestPlace, placesInPolygon, spotAt } from "./hit-test";
import { HoverCard } from "./hover-card";
import { type MapView, ZOOM_STEP } from "./map-view";
import { type Spot, type Spots, toMap, toScreen } from "./plane";

const NEAR_PX = 9;
/** What is dragged over less is a click. */
const CLICK_PX = 4;
const PAN_PX = 60;

export interface MapCanvasProps {
  readonly spots: Spots;
  readonly groups: readonly Group[];
  readonly chosen: ReadonlySet<number>;
  /** Whether dragging draws a lasso; else it moves the map, and draws one with Shift. */
  readonly lassoing: boolean;
  readonly view: MapView;
  /** Told the slides a lasso holds; add: to those chosen before. */
  readonly onChoose: (places: readonly number[], add: boolean) => void;
  readonly onToggle: (place: number) => void;
  readonly nameOf: (place: number) => { readonly id: string; readonly label: string };
}

/** The points, to be moved, zoomed, pointed at and chosen. */
export function MapCanvas(props: MapCanvasProps): JSX.Element {
  const { spots, groups, chosen, view, nameOf } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const lasso = useSignal<readonly Spot[]>([]);
  const hovered = useSignal<number | null>(null);
  const window = view.window.value;
  const stamps = useMemo(() => stampsOf(groups, isDark.value), [groups, isDark.value]);
  useEffect(() => observed(canvas.current, view), [view]);
  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      if (!canvas.current || !window) return;
      drawMap(canvas.current, window, { spots, stamps, chosen, lasso: lasso.value, isDark: isDark.value });
    });
    return () => cancelAnimationFrame(frame);
  }, [window, spots, stamps, chosen, lasso.value, isDark.value]);
  const pointer = usePointer(props, lasso, hovered);
  const at = window && hovered.value !== null ? toScreen(window, spotAt(spots, hovered.value)) : null;
  return (
    <div
      class="overview-map"
      role="application"
      aria-label={strings.overview.map(spots.x.length)}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move the map.
      tabIndex={0}
      onKeyDown={(event) => onKey(event, view)}
    >
      <canvas ref={canvas} class={props.lassoing ? "is-lassoing" : ""} {...pointer} />
      {at && window && hovered.value !== null && <HoverCard at={at} window={window} {...nameOf(hovered.value)} />}
    </div>
  );
}

type Pointing = Pick<
  JSX.IntrinsicElements["canvas"],
  "onPointerDown" | "onPointerMove" | "onPointerUp" | "onPointerCancel" | "onPointerLeave"
>;

/** Dragging moves or draws, a click chooses, and pointing tells what is there. */
function usePointer(
  { spots, view, lassoing, onChoose, onToggle }: MapCanvasProps,
  lasso: { value: readonly Spot[] },
  hovered: { value: number | null },
): Pointing {
  const last = useRef<Spot | null>(null);
  const dragged = useRef(0);
  const drawing = useRef(false);
  const under = (at: Spot): number | null => {
    const seen = view.window.peek();
    return seen && nearestPlace(toMap(seen, at), spots, NEAR_PX * seen.unitsPerPx);
  };
  const end = (): void => {
    last.current = null;
    lasso.value = [];
  };
  return {
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      last.current = spotOf(event);
      dragged.current = 0;
      drawing.current = lassoing || event.shiftKey;
      lasso.value = drawing.current ? [spotOf(event)] : [];
    },
    onPointerMove: (event) => {
      const at = spotOf(event);
      if (!last.current) {
        hovered.value = under(at);
        return;
      }
      hovered.value = null;
      const [right, down] = [at.x - last.current.x, at.y - last.current.y];
      dragged.current += Math.hypot(right, down);
      last.current = at;
      if (drawing.current) lasso.value = [...lasso.value, at];
      else view.pan(right, down);
    },
    onPointerUp: (event) => {
      const seen = view.window.peek();
      const place = under(spotOf(event));
      if (last.current && seen) {
        if (dragged.current < CLICK_PX) place !== null && onToggle(place);
        else if (drawing.current) {
          const polygon = lasso.value.map((spot) => toMap(seen, spot));
          onChoose(placesInPolygon(polygon, spots), event.ctrlKey || event.metaKey);
        }
      }
      end();
    },
    onPointerCancel: end,
    onPointerLeave: () => {
      hovered.value = null;
    },
  };
}

/** Follow the size of the canvas, and zoom by the wheel: listened to here, as the page must not scroll then. */
function observed(canvas: HTMLCanvasElement | null, view: MapView): (() => void) | undefined {
  if (!canvas) return undefined;
  const observer = new ResizeObserver(([entry]) => {
    if (entry) view.resize(entry.contentRect.width, entry.contentRect.height);
  });
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    view.zoom(ZOOM_STEP ** (-event.deltaY / 100), { x: event.offsetX, y: event.offsetY });
  };
  observer.observe(canvas);
  canvas.addEventListener("wheel", onWheel, { passive: false });
  return () => {
    observer.disconnect();
    canvas.removeEventListener("wheel", onWheel);
  };
}

function onKey(event: KeyboardEvent, view: MapView): void {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const actions: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => view.pan(PAN_PX, 0),
    ArrowRight: () => view.pan(-PAN_PX, 0),
    ArrowUp: () => view.pan(0, PAN_PX),
    ArrowDown: () => view.pan(0, -PAN_PX),
    "+": () => view.zoom(ZOOM_STEP),
    "=": () => view.zoom(ZOOM_STEP),
    "-": () => view.zoom(1 / ZOOM_STEP),
    "0": () => view.home(),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}

function spotOf(event: PointerEvent): Spot {
  return { x: event.offsetX, y: event.offsetY };
}
