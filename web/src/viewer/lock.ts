/** Two viewers that move together: relative to where they were when they were locked, in um of tissue. */

import type { Point } from "./view";

/** What is in a viewer's middle, in um from the slide's corner, and um per screen px. */
export interface Place {
  readonly centreUm: Point;
  readonly umPerPx: number;
}

/** Something that can be locked to another; `onMove` tells of changes of place until its answer is called. */
export interface Movable {
  /** Null while nothing is shown, or where the size of a px is not known. */
  place(): Place | null;
  put(place: Place): void;
  onMove(listener: () => void): () => void;
}

/** Where a viewer goes when its partner went from `leaderThen` to `leader`. */
export function follow(leader: Place, leaderThen: Place, followerThen: Place): Place {
  return {
    centreUm: {
      x: followerThen.centreUm.x + leader.centreUm.x - leaderThen.centreUm.x,
      y: followerThen.centreUm.y + leader.centreUm.y - leaderThen.centreUm.y,
    },
    umPerPx: (followerThen.umPerPx * leader.umPerPx) / leaderThen.umPerPx,
  };
}

/** Equal but for rounding: less than a thousandth of a screen px and of the zoom apart. */
export function isSamePlace(a: Place, b: Place): boolean {
  const most = 1e-3 * Math.min(a.umPerPx, b.umPerPx);
  return (
    Math.abs(a.centreUm.x - b.centreUm.x) < most &&
    Math.abs(a.centreUm.y - b.centreUm.y) < most &&
    Math.abs(a.umPerPx - b.umPerPx) < most
  );
}

/** Lock two; the answer unlocks them. Null when one has no place. */
export function lock(one: Movable, other: Movable): (() => void) | null {
  const oneThen = one.place();
  const otherThen = other.place();
  if (!oneThen || !otherThen) return null;
  // A viewer tells of its move only when it draws next: one that is still where the lock put it did not move by itself,
  // and must not pull back a partner that went on meanwhile.
  const putAt = new Map<Movable, Place>();
  const lead = (leader: Movable, leaderThen: Place, follower: Movable, followerThen: Place) =>
    leader.onMove(() => {
      const now = leader.place();
      const put = putAt.get(leader);
      if (!now || (put && isSamePlace(now, put))) return;
      putAt.delete(leader);
      const goal = follow(now, leaderThen, followerThen);
      putAt.set(follower, goal);
      follower.put(goal);
    });
  const ends = [lead(one, oneThen, other, otherThen), lead(other, otherThen, one, oneThen)];
  return () => {
    for (const end of ends) end();
  };
}
