import { computed } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { route, show } from "../state/navigation";
import { keepScale, lock } from "../viewer/lock";
import { mapPlace, type Similarity } from "../viewer/similarity";
import type { Stage } from "../viewer/stage";

/** How two slides go together: with one scale, and locked as they lie on each other. */
export interface Link {
  readonly hasSameScale: boolean;
  readonly isLocked: boolean;
  /** Whether there are two slides whose sizes are known. */
  readonly canLink: boolean;
  setSameScale(same: boolean): void;
  setLocked(locked: boolean): void;
  /** Lay the other stage's slide on that of the one by a map of their tissue, and lock them so. */
  layOn(map: Similarity): void;
  /** Move both stages each for itself, at once where they are linked. */
  moveBoth(move: (atOnce: boolean) => void): void;
}

/**
 * The link of two stages that the address says. One scale is usual; a lock is of one pair of slides, and ends with it:
 * pair says which. leads: the stage whose scale both get at first, null for the one that shows more.
 */
export function useLink(one: Stage | null, other: Stage | null, pair: string, leads: Stage | null): Link {
  const { shown } = route.value;
  const hasSameScale = shown.scale !== "free";
  const isScaled = shown.lock === scaled(pair);
  const isLocked = isScaled || shown.lock === pair;
  // Its own signal, so that not every move of a stage renders anew what is around it.
  const linkable = useMemo(() => computed(() => isOpen(one) && isOpen(other)), [one, other]);
  const canLink = linkable.value;
  const unlink = useRef<(() => void) | null>(null);
  const [laid, setLaid] = useState(0);
  const begin = (): void => {
    if (one && other && canLink) unlink.current = linked(one, other, { hasSameScale, isLocked, isScaled, leads });
  };
  const end = (): void => {
    unlink.current?.();
    unlink.current = null;
  };
  // At once: a link that outlives its slide would pull the other one along when the next slide opens as a whole.
  useLayoutEffect(() => {
    begin();
    return end;
  }, [one, other, canLink, hasSameScale, isLocked, isScaled, laid]);
  return {
    hasSameScale,
    isLocked,
    canLink,
    setSameScale: (same) => show("scale", same ? null : "free"),
    setLocked: (locked) => show("lock", locked ? pair : null),
    layOn: (map) => {
      const place = one?.place();
      if (!place) return;
      end();
      other?.put(mapPlace(map, place));
      setLaid(laid + 1);
      show("lock", map.scale === 1 ? pair : scaled(pair));
    },
    moveBoth: (move) => {
      const wasLinked = unlink.current !== null;
      end();
      move(wasLinked);
      if (wasLinked) begin();
    },
  };
}

interface Wanted {
  readonly hasSameScale: boolean;
  readonly isLocked: boolean;
  readonly isScaled: boolean;
  readonly leads: Stage | null;
}

function linked(one: Stage, other: Stage, { hasSameScale, isLocked, isScaled, leads }: Wanted): (() => void) | null {
  if (!hasSameScale) return isLocked ? lock(one, other, isScaled) : null;
  const showsMore = (one.place()?.umPerPx ?? 0) > (other.place()?.umPerPx ?? 0) ? one : other;
  const first = leads ?? showsMore;
  const end = keepScale(first, first === one ? other : one);
  if (!isLocked) return end;
  end?.();
  return lock(one, other);
}

/** How the address says that slides of different sizes were laid on each other. */
function scaled(pair: string): string {
  return `scaled:${pair}`;
}

function isOpen(stage: Stage | null): boolean {
  return Boolean(stage?.view.value && stage.place());
}
