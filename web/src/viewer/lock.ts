/** Two viewers that move together, as two slides that were laid on each other; or that have one scale. */

import { invert, mapPlace, type Place, type Similarity, similarityOf } from "./similarity";

/** Something that can be locked to another; `onMove` tells of changes of place until its answer is called. */
export interface Movable {
  /** Null while nothing is shown, or where the size of a px is not known. */
  place(): Place | null;
  put(place: Place): void;
  onMove(listener: () => void): () => void;
}

/** Where a viewer goes, from where it is, when its partner is at a place; null: it stays. */
type Follow = (partner: Place, own: Place) => Place | null;

/** Equal but for rounding: less than a thousandth of a screen px and of the zoom apart, and turned alike. */
export function isSamePlace(a: Place, b: Place): boolean {
  const most = 1e-3 * Math.min(a.umPerPx, b.umPerPx);
  return (
    Math.abs(a.centreUm.x - b.centreUm.x) < most &&
    Math.abs(a.centreUm.y - b.centreUm.y) < most &&
    Math.abs(a.umPerPx - b.umPerPx) < most &&
    a.turn.flipped === b.turn.flipped &&
    Math.abs(((a.turn.degrees - b.turn.degrees + 540) % 360) - 180) < 0.02
  );
}

/**
 * Lock two as they lie now; the answer unlocks them. They move by the same length of tissue, and zoom by the same
 * factor. isScaled: what looks equally large on both is the same tissue, so that they move by the same px of the screen.
 * Null when one has no place.
 */
export function lock(one: Movable, other: Movable, isScaled = false): (() => void) | null {
  const [place, otherPlace] = [one.place(), other.place()];
  if (!place || !otherPlace) return null;
  const zoom = otherPlace.umPerPx / place.umPerPx;
  return lockAs(one, other, similarityOf(place, otherPlace, isScaled ? zoom : 1), zoom);
}

function lockAs(one: Movable, other: Movable, map: Similarity, zoom: number): () => void {
  const back = invert(map);
  return lead(
    one,
    other,
    (place) => mapPlace(map, place, zoom),
    (place) => mapPlace(back, place, 1 / zoom),
  );
}

/** Have both show as many um in a screen px, as `one` does at first; the answer ends it. Null when one has no place. */
export function keepScale(one: Movable, other: Movable): (() => void) | null {
  const [place, otherPlace] = [one.place(), other.place()];
  if (!place || !otherPlace) return null;
  const sameScale: Follow = ({ umPerPx }, own) => (isSameScale(umPerPx, own.umPerPx) ? null : { ...own, umPerPx });
  const goal = sameScale(place, otherPlace);
  if (goal) other.put(goal);
  return lead(one, other, sameScale, sameScale);
}

export function isSameScale(a: number, b: number): boolean {
  return Math.abs(a / b - 1) < 1e-3;
}

function lead(one: Movable, other: Movable, otherFollows: Follow, oneFollows: Follow): () => void {
  // A viewer tells of its move only when it draws next: one that is still where the lock put it did not move by itself,
  // and must not pull back a partner that went on meanwhile.
  const putAt = new Map<Movable, Place>();
  const follow = (leader: Movable, follower: Movable, goalOf: Follow) =>
    leader.onMove(() => {
      const [now, own] = [leader.place(), follower.place()];
      const put = putAt.get(leader);
      if (!now || !own || (put && isSamePlace(now, put))) return;
      putAt.delete(leader);
      const goal = goalOf(now, own);
      if (!goal) return;
      putAt.set(follower, goal);
      follower.put(goal);
    });
  const ends = [follow(one, other, otherFollows), follow(other, one, oneFollows)];
  return () => {
    for (const end of ends) end();
  };
}
