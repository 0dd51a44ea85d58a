import { useSignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { useMode } from "../state/modes";
import type { Picking } from "../viewer/pick-layer";
import { alignPairs } from "../viewer/similarity";
import type { Stage } from "../viewer/stage";
import type { Point } from "../viewer/view";
import type { Link } from "./use-link";

const PAIRS = 2;
const NONE: Points = { query: [], result: [] };

interface Points {
  readonly query: readonly Point[];
  readonly result: readonly Point[];
}

/** Two places that are chosen on either slide, so that the result is laid on the query by them. */
export interface Alignment {
  readonly isOn: boolean;
  /** How many are chosen on either side. */
  readonly counts: { readonly query: number; readonly result: number };
  /** Whether one section lies on its other side. */
  readonly isMirrored: boolean;
  setMirrored(mirrored: boolean): void;
  toggle(): void;
  /** What viewers need to choose with; null while nothing is chosen. */
  readonly query: Picking | null;
  readonly result: Picking | null;
}

/** pictures: the keys of both; others end what was chosen. onFail: both places of a side were the same. */
export function useAlignment(
  stages: { readonly query: Stage | null; readonly result: Stage | null },
  link: Link,
  pictures: readonly string[],
  onFail: () => void,
): Alignment {
  const [isOn, setIsOn] = useState(false);
  const [isMirrored, setMirrored] = useState(false);
  // Viewers hold what they call until they are drawn again: two quick clicks must not both begin with the same points.
  const chosen = useSignal(NONE);
  const points = chosen.value;
  const restart = (on: boolean): void => {
    setIsOn(on);
    chosen.value = NONE;
  };
  useEffect(() => restart(false), [JSON.stringify(pictures)]);
  useMode(isOn, pictures, () => restart(false));
  const pick = (side: "query" | "result", point: Point): void => {
    const next = { ...chosen.peek(), [side]: [...chosen.peek()[side], point].slice(0, PAIRS) };
    chosen.value = next;
    if (next.query.length < PAIRS || next.result.length < PAIRS) return;
    restart(false);
    const map = mapOf(next, stages, { mirrored: isMirrored, sameSize: link.hasSameScale });
    if (map) link.layOn(map);
    else onFail();
  };
  const picking = (side: "query" | "result"): Picking | null =>
    isOn ? { points: points[side], onPick: (point) => pick(side, point) } : null;
  return {
    isOn,
    counts: { query: points.query.length, result: points.result.length },
    isMirrored,
    setMirrored,
    toggle: () => restart(!isOn),
    query: picking("query"),
    result: picking("result"),
  };
}

function mapOf(
  points: Points,
  { query, result }: { readonly query: Stage | null; readonly result: Stage | null },
  how: { readonly mirrored: boolean; readonly sameSize: boolean },
) {
  const [from, to] = [inUm(points.query, query), inUm(points.result, result)];
  return from && to && alignPairs(from, to, how);
}

function inUm([a, b]: readonly Point[], stage: Stage | null): [Point, Point] | null {
  const um = stage?.umPerPx;
  if (!a || !b || !um) return null;
  return [
    { x: a.x * um, y: a.y * um },
    { x: b.x * um, y: b.y * um },
  ];
}
