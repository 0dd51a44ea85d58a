/** Maps of weights drawn over a slide: colours and the range of values. */

import type { Rect } from "./view";

/** Tiles' top-left corners in level-0 px, their edge, and a weight each. */
export interface HeatMap {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly edge_level0: number;
  readonly weights: readonly number[];
}

export type HeatKind = "attention" | "contribution";

type Rgb = readonly [number, number, number];

/** Colours of values from 0 to 1, evenly apart, with straight lines between them: as the result page has them. */
const SCALES: Record<HeatKind, readonly string[]> = {
  // Cividis (Nunez, Anderton and Renslow 2018): perceptually uniform, alike with any colour vision.
  attention: ["#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"],
  // From what sets the slides apart to what they share.
  contribution: ["#2166ac", "#92c5de", "#f7f7f7", "#fdb863", "#b35806"],
};

/** The values at both ends of a map's scale. */
export interface HeatRange {
  readonly low: number;
  readonly high: number;
}

/** From 0 to the largest weight, or for contributions as far below 0 as above; null where nothing is to be seen. */
export function heatRange(map: HeatMap, kind: HeatKind): HeatRange | null {
  const most = map.weights.reduce((so, weight) => Math.max(so, Math.abs(weight)), 0);
  if (most === 0 || map.edge_level0 <= 0) return null;
  return { low: kind === "attention" ? 0 : -most, high: most };
}

export function heatColour(kind: HeatKind, range: HeatRange, weight: number): string {
  const at = Math.min(1, Math.max(0, (weight - range.low) / (range.high - range.low)));
  const [red, green, blue] = mixed(SCALES[kind], at);
  return `rgb(${red}, ${green}, ${blue})`;
}

/** The scale's colours from low to high, for a legend. */
export function heatStops(kind: HeatKind): readonly string[] {
  return SCALES[kind];
}

export interface HeatTile {
  readonly rect: Rect;
  readonly colour: string;
}

/** Tiles with their colours, the heaviest last so that it is on top of those that overlap it. */
export function heatTiles(map: HeatMap, kind: HeatKind): readonly HeatTile[] {
  const range = heatRange(map, kind);
  if (!range) return [];
  const order = [...map.weights.keys()].sort((a, b) => Math.abs(map.weights[a] ?? 0) - Math.abs(map.weights[b] ?? 0));
  const edge = map.edge_level0;
  return order.map((tile) => ({
    rect: { x: map.x[tile] ?? 0, y: map.y[tile] ?? 0, width: edge, height: edge },
    colour: heatColour(kind, range, map.weights[tile] ?? 0),
  }));
}

function mixed(colours: readonly string[], at: number): Rgb {
  const place = at * (colours.length - 1);
  const before = Math.min(Math.floor(place), colours.length - 2);
  const [a, b] = [rgb(colours[before] ?? "#000000"), rgb(colours[before + 1] ?? "#000000")];
  const mix = (i: 0 | 1 | 2) => Math.round(a[i] + (b[i] - a[i]) * (place - before));
  return [mix(0), mix(1), mix(2)];
}

function rgb(colour: string): Rgb {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
