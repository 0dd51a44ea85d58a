import { computed } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { PairContribution, Region } from "../api/types";
import { route } from "../state/navigation";
import { regionText, shownRegion } from "../state/region-key";
import type { Frame } from "../viewer/frame";
import type { Stage } from "../viewer/stage";
import type { Comparison } from "./comparison";
import { type Frames, framesOf, pairId } from "./frames";
import { type Lock, useLock } from "./use-lock";

/** What is framed on both slides, which frame is looked at, and the ways there. */
export interface Places {
  readonly frames: Frames;
  readonly selected: string | null;
  readonly lock: Lock;
  select(id: string): void;
  /** Lead both viewers to a frame. */
  go(id: string): void;
  /** Frame a pair of regions and go there. */
  goToPair(pair: PairContribution): void;
  /** To be told the stages of both viewers. */
  onQueryStage(stage: Stage | null): void;
  onResultStage(stage: Stage | null): void;
}

export function usePlaces({ query, result }: Comparison): Places {
  const [queryStage, onQueryStage] = useState<Stage | null>(null);
  const [resultStage, onResultStage] = useState<Stage | null>(null);
  const [selected, select] = useState<string | null>(null);
  const [pair, setPair] = useState<PairContribution | null>(null);
  const lock = useLock(queryStage, resultStage);
  const frames = useMemo(() => framesOf(query, result, pair), [query, result, pair]);
  useFlight(resultStage, shownRegion(route.value));
  useEffect(() => {
    select(null);
    setPair(null);
  }, [result.slide_id]);
  const goAmong = (among: Frames, id: string): void => {
    select(id);
    lock.moveBoth((atOnce) => {
      fly(queryStage, among.query, id, atOnce);
      fly(resultStage, among.result, id, atOnce);
    });
  };
  const goToPair = (wanted: PairContribution): void => {
    setPair(wanted);
    goAmong(framesOf(query, result, wanted), pairId(wanted));
  };
  return { frames, selected, lock, select, go: (id) => goAmong(frames, id), goToPair, onQueryStage, onResultStage };
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

function fly(stage: Stage | null, frames: readonly Frame[], id: string, atOnce: boolean): void {
  const frame = frames.find((one) => one.id === id);
  if (frame) stage?.flyTo(frame.rect, atOnce || undefined);
}
