import { computed } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { lock } from "../viewer/lock";
import type { Stage } from "../viewer/stage";

export interface Lock {
  readonly isLocked: boolean;
  /** Whether there are two places that can be locked. */
  readonly canLock: boolean;
  set(locked: boolean): void;
  /** Move both stages each for itself; when they were locked they move at once, and are locked where they arrive. */
  moveBoth(move: (atOnce: boolean) => void): void;
}

/** Two stages that can be locked to each other; another slide in one of them unlocks them. */
export function useLock(one: Stage | null, other: Stage | null): Lock {
  const [isLocked, setIsLocked] = useState(false);
  const unlock = useRef<(() => void) | null>(null);
  // Its own signal, so that not every move of a stage renders anew what is around it.
  const lockable = useMemo(() => computed(() => isOpen(one) && isOpen(other)), [one, other]);
  const canLock = lockable.value;
  const set = (locked: boolean): void => {
    unlock.current?.();
    unlock.current = locked && one && other ? lock(one, other) : null;
    setIsLocked(unlock.current !== null);
  };
  const moveBoth = (move: (atOnce: boolean) => void): void => {
    const before = isLocked;
    set(false);
    move(before);
    if (before) set(true);
  };
  useEffect(() => {
    if (!canLock) set(false);
  }, [canLock]);
  useEffect(() => () => unlock.current?.(), []);
  return { isLocked, canLock, set, moveBoth };
}

function isOpen(stage: Stage | null): boolean {
  return Boolean(stage?.view.value && stage.place());
}
