import type { Stage } from "./stage";

export const ZOOM_STEP = 1.6;

/** Of the stage's width or height. */
const PAN_SHARE = 0.15;

/** Degrees. */
export const QUARTER = 90;

/** Move, zoom and turn by keys; false for keys that do nothing here. */
export function moveByKey(event: KeyboardEvent, stage: Stage, toggleFullPage: () => void): boolean {
  if (event.ctrlKey || event.altKey || event.metaKey) return false;
  const actions: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => stage.panBy(-PAN_SHARE, 0),
    ArrowRight: () => stage.panBy(PAN_SHARE, 0),
    ArrowUp: () => stage.panBy(0, -PAN_SHARE),
    ArrowDown: () => stage.panBy(0, PAN_SHARE),
    "+": () => stage.zoomBy(ZOOM_STEP),
    "=": () => stage.zoomBy(ZOOM_STEP),
    "-": () => stage.zoomBy(1 / ZOOM_STEP),
    "0": () => stage.home(),
    f: toggleFullPage,
    r: () => stage.turnBy(QUARTER),
    R: () => stage.turnBy(-QUARTER),
    m: () => stage.flip(),
  };
  const action = actions[event.key];
  action?.();
  return action !== undefined;
}
