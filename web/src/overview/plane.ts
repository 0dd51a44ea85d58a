/** The window through which a map is seen: pan and zoom. */

export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** The map's point in the middle of the screen, and units of the map in one screen px; y of the map goes up. */
export interface Window {
  readonly centre: Spot;
  readonly unitsPerPx: number;
  readonly width: number;
  readonly height: number;
}

/** Places in columns. */
export interface Spots {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

export function toScreen(window: Window, spot: Spot): Spot {
  return {
    x: window.width / 2 + (spot.x - window.centre.x) / window.unitsPerPx,
    y: window.height / 2 - (spot.y - window.centre.y) / window.unitsPerPx,
  };
}

export function toMap(window: Window, spot: Spot): Spot {
  return {
    x: window.centre.x + (spot.x - window.width / 2) * window.unitsPerPx,
    y: window.centre.y - (spot.y - window.height / 2) * window.unitsPerPx,
  };
}

/** The window that shows all places, with a margin in px around them. */
export function fitWindow({ x, y }: Spots, width: number, height: number, margin: number): Window {
  const [across, up] = [extent(x), extent(y)];
  const room = (px: number) => Math.max(1, px - 2 * margin);
  const unitsPerPx = Math.max(across.length / room(width), up.length / room(height)) || 1;
  return { centre: { x: across.middle, y: up.middle }, unitsPerPx, width, height };
}

/** Zoomed in by a factor; what is at `fixed` on the screen stays there. */
export function zoomWindow(window: Window, factor: number, fixed: Spot): Window {
  const before = toMap(window, fixed);
  const closer = { ...window, unitsPerPx: window.unitsPerPx / factor };
  const after = toMap(closer, fixed);
  const centre = { x: closer.centre.x + before.x - after.x, y: closer.centre.y + before.y - after.y };
  return { ...closer, centre };
}

/** Moved so that what was seen goes by so many px to the right and down. */
export function panWindow(window: Window, right: number, down: number): Window {
  const { centre, unitsPerPx } = window;
  return { ...window, centre: { x: centre.x - right * unitsPerPx, y: centre.y + down * unitsPerPx } };
}

function extent(values: readonly number[]): { middle: number; length: number } {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high < low ? { middle: 0, length: 0 } : { middle: (low + high) / 2, length: high - low };
}
