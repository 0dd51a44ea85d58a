import type { Stage } from "./stage";
import type { Point } from "./view";

export const ZOOM_STEP = 1.6;

/** Where an arrow key leads: right and down are positive. */
export const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** Where the pointer is in an element. */
export function pointIn(element: EventTarget | null, event: MouseEvent): Point {
  const { left = 0, top = 0 } = (element as Element | null)?.getBoundingClientRect() ?? {};
  return { x: event.clientX - left, y: event.clientY - top };
}

/** Of the stage's width or height. */
const PAN_SHARE = 0.15;

/** Degrees. */
export const QUARTER = 90;

/** Move, zoom and turn by keys; false for keys that do nothing here. */
export function moveByKey(event: KeyboardEvent, stage: Stage, toggleFullPage: () => void): boolean {
  if (event.ctrlKey || event.altKey || event.metaKey) return false;
  const actions: Readonly<Record<string, () => void>> = {
    "+": () => stage.zoomBy(ZOOM_STEP),
    "=": () => stage.zoomBy(ZOOM_STEP),
    "-": () => stage.zoomBy(1 / ZOOM_STEP),
    "0": () => stage.home(),
    f: toggleFullPage,
    r: () => stage.turnBy(QUARTER),
    R: () => stage.turnBy(-QUARTER),
    m: () => stage.flip(),
  };
  const arrow = ARROWS[event.key];
  const action = arrow ? () => stage.panBy(PAN_SHARE * arrow.x, PAN_SHARE * arrow.y) : actions[event.key];
  action?.();
  return action !== undefined;
}
