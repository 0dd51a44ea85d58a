/** Where a slide is looked at, in an address: so that a link leads to the same tissue on any screen. */
import type { Route } from "./route";

/** Of the slide asked with, and of the result or the only slide. */
export type Side = "query" | "result";

const NAMES = { query: "query-view", result: "view" } as const satisfies Record<Side, string>;

/**
 * What is in the middle, in level-0 px; scale: um in a screen px, level-0 px where the scan does not say um; degrees
 * clockwise, then flipped.
 */
export interface ShownPlace {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
  readonly degrees: number;
  readonly flipped: boolean;
}

/** The setting of the address for a side, see `show`. */
export function placeName(side: Side): string {
  return NAMES[side];
}

/** "x,y,scale", then "degrees" and "flip" where the slide is turned or flipped; and the slide that it is of. */
export function placeText({ x, y, scale, degrees, flipped }: ShownPlace, slide: string): string {
  const turn = degrees || flipped ? [rounded(degrees, 2)] : [];
  const numbers = [rounded(x, 1), rounded(y, 1), Number(scale.toPrecision(6)), ...turn];
  return `${[...numbers, ...(flipped ? ["flip"] : [])].join(",")}:${slide}`;
}

/** The place of a slide that a route shows; null without one, and for one of another slide. */
export function shownPlace({ shown }: Pick<Route, "shown">, side: Side, slide: string): ShownPlace | null {
  const [, written = "", of] = /^([^:]*):(.*)$/s.exec(shown[NAMES[side]] ?? "") ?? [];
  const [x, y, scale, degrees = 0] = written
    .split(",")
    .filter((part) => part !== "flip")
    .map(Number);
  if (of !== slide || x === undefined || y === undefined || scale === undefined) return null;
  if (![x, y, scale, degrees].every(Number.isFinite) || scale <= 0) return null;
  return { x, y, scale, degrees, flipped: written.endsWith(",flip") };
}

/** Settings of views without the places of slides. */
export function withoutPlaces(shown: Route["shown"]): Route["shown"] {
  const places: readonly string[] = Object.values(NAMES);
  return Object.fromEntries(Object.entries(shown).filter(([name]) => !places.includes(name)));
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
