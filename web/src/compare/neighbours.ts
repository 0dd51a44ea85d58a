import { useMemo } from "preact/hooks";
import { go } from "../state/navigation";
import { searchResults } from "../state/search-results";
import { useShortcuts } from "../state/shortcuts";
import { strings } from "../strings";

export interface Neighbours {
  /** Null at the ends of the list. */
  readonly onPrevious: (() => void) | null;
  readonly onNext: (() => void) | null;
}

/** The ways to the results before and after one, also by keys; the back button passes over them. */
export function useNeighbours(slideId: string): Neighbours {
  const ids = searchResults.state.value.value?.results.map((result) => result.slide_id) ?? [];
  const place = ids.indexOf(slideId);
  const to = (id: string | undefined) => (place < 0 || id === undefined ? null : () => go({ selected: id }, "replace"));
  const neighbours = { onPrevious: to(ids[place - 1]), onNext: to(ids[place + 1]) };
  const { onPrevious, onNext } = neighbours;
  const keys = useMemo(
    () => [
      { key: "p", label: strings.compare.previous, run: () => onPrevious?.() },
      { key: "n", label: strings.compare.next, run: () => onNext?.() },
    ],
    [ids.join("\n"), place],
  );
  useShortcuts(keys);
  return neighbours;
}
