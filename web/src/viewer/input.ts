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
  if (zoomByKey(event, stage)) return true;
  const arrow = ARROWS[event.key];
  return run(event, {
    ...(arrow ? { [event.key]: () => stage.panBy(PAN_SHARE * arrow.x, PAN_SHARE * arrow.y) } : {}),
    f: toggleFullPage,
    r: () => stage.turnBy(QUARTER),
    R: () => stage.turnBy(-QUARTER),
    m: () => stage.flip(),
  });
}

/** Zoom by the keys that do so wherever the focus is; false for other keys. */
export function zoomByKey(event: KeyboardEvent, stage: Stage): boolean {
  return run(event, {
    "+": () => stage.zoomBy(ZOOM_STEP),
    "=": () => stage.zoomBy(ZOOM_STEP),
    "-": () => stage.zoomBy(1 / ZOOM_STEP),
    "0": () => stage.home(),
  });
}

function run(event: KeyboardEvent, actions: Readonly<Record<string, () => void>>): boolean {
  const action = event.ctrlKey || event.altKey || event.metaKey ? undefined : actions[event.key];
  action?.();
  return action !== undefined;
}
