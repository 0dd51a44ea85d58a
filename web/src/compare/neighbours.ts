import { useMemo } from "preact/hooks";
import type { Result } from "../api/types";
import { go, route } from "../state/navigation";
import { isAt, selectionOf } from "../state/region-key";
import { useShortcuts } from "../state/shortcuts";
import { strings } from "../strings";

export interface Neighbours {
  /** Null at the ends of the list. */
  readonly onPrevious: (() => void) | null;
  readonly onNext: (() => void) | null;
  /** How many results are listed, with those of the pages before; 0 while none are. */
  readonly count: number;
}

/** The ways to the results before and after one, also by keys; the back button passes over them. */
export function useNeighbours(results: readonly Result[]): Neighbours {
  const place = results.findIndex((result) => isAt(result, route.value));
  const to = (result: Result | undefined) =>
    place < 0 || !result
      ? null
      : () => go(selectionOf(route.peek(), result.slide_id, result.region ?? null), "replace");
  const neighbours = { onPrevious: to(results[place - 1]), onNext: to(results[place + 1]) };
  const count = Math.max(0, ...results.map(({ rank }) => rank));
  const { onPrevious, onNext } = neighbours;
  const keys = useMemo(
    () => [
      { key: "p", label: strings.compare.previous, run: () => onPrevious?.() },
      { key: "n", label: strings.compare.next, run: () => onNext?.() },
    ],
    [results, place],
  );
  useShortcuts(keys);
  return { ...neighbours, count };
}
