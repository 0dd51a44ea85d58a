import { computed } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import type { PairContribution, Region } from "../api/types";
import { route } from "../state/navigation";
import { regionText, shownRegion } from "../state/region-key";
import { shownPlace } from "../state/shown-place";
import type { Frame } from "../viewer/frame";
import type { Stage } from "../viewer/stage";
import { fitView, type Rect, type Size, type View } from "../viewer/view";
import { type Comparison, querySlide } from "./comparison";
import { type Frames, framesOf, pairId } from "./frames";
import { type Link, useLink } from "./use-link";
import { useShownPlace } from "./use-shown-place";

/** Of the scale at which the whole slide is seen. */
const CLOSER = 0.9;

/** What is framed on both slides, which frame is looked at, and the ways there. */
export interface Places {
  readonly frames: Frames;
  readonly selected: string | null;
  readonly link: Link;
  readonly queryStage: Stage | null;
  readonly resultStage: Stage | null;
  select(id: string): void;
  /** Lead both viewers to a frame. */
  go(id: string): void;
  /** Frame a pair of regions and go there. */
  goToPair(pair: PairContribution): void;
  /** To be told the stages of both viewers. */
  onQueryStage(stage: Stage | null): void;
  onResultStage(stage: Stage | null): void;
}

export function usePlaces(comparison: Comparison): Places {
  const { query, result } = comparison;
  const [queryStage, onQueryStage] = useState<Stage | null>(null);
  const [resultStage, onResultStage] = useState<Stage | null>(null);
  const [selected, select] = useState<string | null>(null);
  const [pair, setPair] = useState<PairContribution | null>(null);
  const frames = useMemo(() => framesOf(query, result, pair), [query, result, pair]);
  const asked = querySlide(comparison);
  const region = shownRegion(route.value);
  const isPlaced = shownPlace(route.value, "result", result.slide_id) !== null;
  useFlight(resultStage, isPlaced ? null : region);
  useShownPlace(queryStage, "query", asked && (asked.slide_id ?? asked.upload_id));
  useShownPlace(resultStage, "result", result.slide_id);
  const keepsScale = route.value.shown.scale !== "free";
  useNextMatch(queryStage, resultStage, region || isPlaced ? null : matchOf(frames), keepsScale);
  const link = useLink(queryStage, resultStage, result.slide_id, isPlaced || region ? resultStage : null);
  useEffect(() => {
    select(null);
    setPair(null);
  }, [result.slide_id]);
  const goAmong = (among: Frames, id: string): void => {
    select(id);
    link.moveBoth((atOnce) => flyBoth([queryStage, among.query], [resultStage, among.result], id, link, atOnce));
  };
  const goToPair = (wanted: PairContribution): void => {
    setPair(wanted);
    goAmong(framesOf(query, result, wanted), pairId(wanted));
  };
  const go = (id: string): void => goAmong(frames, id);
  return { frames, selected, link, queryStage, resultStage, select, go, goToPair, onQueryStage, onResultStage };
}

/** Have a stage go to a region as soon as it can, once for each region that is to be seen. */
export function useFlight(stage: Stage | null, region: Region | null): void {
  const open = useMemo(() => computed(() => Boolean(stage?.view.value)), [stage]);
  const isOpen = open.value;
  const wanted = region && regionText(region);
  useEffect(() => {
    if (isOpen && region) stage?.flyTo(region, true);
  }, [stage, isOpen, wanted]);
}

/**
 * Where the slide asked with is looked at closely, have each next result show its best match as closely, not the whole
 * slide. match: null where it shows something else.
 */
function useNextMatch(query: Stage | null, result: Stage | null, match: Rect | null, keepsScale: boolean): void {
  const open = useMemo(() => computed(() => Boolean(result?.view.value)), [result]);
  const isOpen = open.value;
  useLayoutEffect(() => {
    const [view, slide] = [query?.view.peek(), query?.slide];
    if (!isOpen || !match || !view || !slide || !isCloser(view, slide)) return;
    result?.flyTo(match, true, keepsScale ? (query?.place()?.umPerPx ?? null) : null);
  }, [query, result, isOpen]);
}

function matchOf(frames: Frames): Rect | null {
  return frames.result.find(({ kind }) => kind === "match")?.rect ?? null;
}

/** Whether less than the whole slide is seen. */
function isCloser(view: View, slide: Size): boolean {
  return view.scale < CLOSER * fitView(view.stage, { x: 0, y: 0, ...slide }, 1, view.turn).scale;
}

type Goal = readonly [stage: Stage | null, frames: readonly Frame[]];

/** To the frames of an id, at one scale where that is kept: that of the larger one. */
function flyBoth(one: Goal, other: Goal, id: string, link: Link, atOnce: boolean): void {
  const goals = [one, other].flatMap(([stage, frames]) => {
    const frame = frames.find((each) => each.id === id);
    return stage && frame ? [{ stage, rect: frame.rect }] : [];
  });
  const scales = goals.map(({ stage, rect }) => stage.umPerPxToShow(rect) ?? 0);
  const scale = link.canLink && link.hasSameScale ? Math.max(...scales) : 0;
  for (const { stage, rect } of goals) stage.flyTo(rect, atOnce || undefined, scale || undefined);
}
