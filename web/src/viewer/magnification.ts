/** Magnification as pathologists speak of it: 10x shows 1 um of tissue in one px of the screen. */

const UM_PER_PX_AT_1X = 10;

/** Scans called 40x are of 0.23 to 0.27 um per px: a step that is finer than the scan by less than this still counts. */
const TOLERANCE = 1.2;

export const STEPS = [1, 5, 10, 20, 40] as const;

export function magnification(umPerScreenPx: number): number {
  return UM_PER_PX_AT_1X / umPerScreenPx;
}

export function umPerScreenPx(times: number): number {
  return UM_PER_PX_AT_1X / times;
}

/** Whether the scan has the detail that a magnification shows. */
export function isWithinScan(times: number, scanUmPerPx: number): boolean {
  return umPerScreenPx(times) * TOLERANCE >= scanUmPerPx;
}

/** Two figures: "0.84x", "3.4x", "20x". */
export function magnificationText(times: number): string {
  const digits = times >= 9.95 ? 0 : times >= 0.995 ? 1 : 2;
  return `${Number(times.toFixed(digits))}\u00d7`;
}
