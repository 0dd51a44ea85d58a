/** Frames around what matched, on both slides. */

import type { PairContribution, QueryEcho, Region, Result } from "../api/types";
import { strings } from "../strings";
import { MATCH_COLOURS, TEXT_COLOURS } from "../ui/colours";
import type { Frame } from "../viewer/frame";

const OTHER_COLOUR = "#5e5e5e";

export interface Frames {
  readonly query: readonly Frame[];
  readonly result: readonly Frame[];
}

/** Frames of matches, of regions near a text, of the regions asked with, and of one more pair that is looked at. */
export function framesOf(query: QueryEcho, result: Result, pair: PairContribution | null): Frames {
  const matches = result.matches.map((match, place) => matchFrames(place, match.query_region, match.result_region));
  const texts = result.text_regions.map(({ region }, place) => {
    const label = textLabel(place);
    const colour = TEXT_COLOURS[place] ?? OTHER_COLOUR;
    return framed(region, { id: textId(place), colour, label, name: strings.compare.textRegion(label), kind: "text" });
  });
  const drawn = query.regions.map((region, place) => queryFrame(region, place));
  const other = pair ? pairFrames(pair) : NONE;
  return {
    query: [...drawn, ...matches.flatMap((match) => match.query), ...other.query],
    result: [...matches.flatMap((match) => match.result), ...texts.flat(), ...other.result],
  };
}

/** The frame of a region that the address names. */
export function regionFrames(region: Region | null): readonly Frame[] {
  const [label, colour] = [textLabel(0), TEXT_COLOURS[0] ?? OTHER_COLOUR];
  return framed(region, { id: textId(0), colour, label, name: strings.compare.namedRegion, kind: "text" });
}

export function matchId(place: number): string {
  return `match-${place}`;
}

export function textId(place: number): string {
  return `text-${place}`;
}

export function textLabel(place: number): string {
  return `T${place + 1}`;
}

export function pairId(pair: PairContribution): string {
  return `pair-${pair.query_mosaic}-${pair.result_mosaic}`;
}

const NONE: Frames = { query: [], result: [] };

function matchFrames(place: number, query: Region | null, result: Region | null): Frames {
  const label = String(place + 1);
  const colour = MATCH_COLOURS[place] ?? OTHER_COLOUR;
  const look = { id: matchId(place), colour, label, name: strings.compare.match(label), kind: "match" } as const;
  return { query: framed(query, look), result: framed(result, look) };
}

function pairFrames(pair: PairContribution): Frames {
  const name = strings.compare.pairFrame;
  const look = { id: pairId(pair), colour: OTHER_COLOUR, label: "+", name, kind: "match" } as const;
  return { query: framed(pair.query_region, look), result: framed(pair.result_region, look) };
}

function queryFrame(rect: Region, place: number): Frame {
  const label = `Q${place + 1}`;
  return {
    id: `asked-${place}`,
    rect,
    colour: "#ffffff",
    label,
    name: strings.compare.queryRegion(label),
    kind: "drawn",
  };
}

function framed(region: Region | null, look: Omit<Frame, "rect">): readonly Frame[] {
  return region ? [{ ...look, rect: region }] : [];
}
