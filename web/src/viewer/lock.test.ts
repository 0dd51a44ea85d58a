import { describe, expect, it } from "vitest";
import { keepScale, lock, type Movable } from "./lock";
import type { Place } from "./similarity";
import { UPRIGHT } from "./view";

const at = (x: number, y: number, umPerPx: number): Place => ({ centreUm: { x, y }, umPerPx, turn: UPRIGHT });

/** Tells of its moves at once, or like a viewer only when it draws. */
class Fake implements Movable {
  moves = 0;
  private readonly listeners = new Set<() => void>();

  constructor(
    public now: Place | null,
    private readonly atOnce = true,
  ) {}

  place() {
    return this.now;
  }

  put(place: Place) {
    this.now = place;
    this.moves += 1;
    if (this.atOnce) this.draw();
  }

  onMove(listener: () => void) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  draw() {
    for (const listener of this.listeners) listener();
  }
}

describe("lock", () => {
  it("moves each with the other, once", () => {
    const [one, other] = [new Fake(at(0, 0, 1)), new Fake(at(1000, 1000, 2))];
    lock(one, other);
    one.put(at(10, 20, 0.5));
    expect(other.now).toEqual(at(1010, 1020, 1));
    other.put(at(1000, 1000, 2));
    expect(one.now).toEqual(at(0, 0, 1));
    expect([one.moves, other.moves]).toEqual([2, 2]);
  });

  it("does not let a late follower pull its leader back", () => {
    const [one, other] = [new Fake(at(0, 0, 1), false), new Fake(at(0, 0, 1), false)];
    lock(one, other);
    one.now = at(10, 0, 1);
    one.draw();
    one.now = at(20, 0, 1);
    other.draw();
    expect(one.now).toEqual(at(20, 0, 1));
    one.draw();
    expect(other.now).toEqual(at(20, 0, 1));
  });

  it("lets the follower lead as soon as it moves by itself", () => {
    const [one, other] = [new Fake(at(0, 0, 1), false), new Fake(at(0, 0, 1), false)];
    lock(one, other);
    one.now = at(10, 0, 1);
    one.draw();
    other.now = at(10, 5, 1);
    other.draw();
    expect(one.now).toEqual(at(10, 5, 1));
  });

  it("ends when it is unlocked", () => {
    const [one, other] = [new Fake(at(0, 0, 1)), new Fake(at(7, 7, 1))];
    lock(one, other)?.();
    one.put(at(10, 20, 0.5));
    expect(other.now).toEqual(at(7, 7, 1));
  });

  it("moves turned and scaled slides so that they stay laid on each other", () => {
    const turn = { degrees: 270, flipped: false };
    const [one, other] = [new Fake(at(0, 0, 1)), new Fake({ ...at(100, 0, 2), turn })];
    lock(one, other, true);
    one.put(at(10, 0, 1));
    expect(other.now).toEqual({ ...at(100, 20, 2), turn });
    one.put({ ...at(10, 0, 1), turn: { degrees: 90, flipped: true } });
    expect(other.now).toEqual({ ...at(100, 20, 2), turn: { degrees: 0, flipped: true } });
  });

  it("needs two places", () => {
    expect(lock(new Fake(null), new Fake(at(0, 0, 1)))).toBeNull();
  });
});

describe("keepScale", () => {
  it("gives both one scale, each about its own middle", () => {
    const [one, other] = [new Fake(at(0, 0, 1)), new Fake(at(70, 80, 2))];
    const end = keepScale(one, other);
    expect(other.now).toEqual(at(70, 80, 1));
    other.put(at(70, 90, 4));
    expect(one.now).toEqual(at(0, 0, 4));
    one.put(at(5, 5, 4));
    expect(other.now).toEqual(at(70, 90, 4));
    end?.();
    one.put(at(5, 5, 1));
    expect(other.now).toEqual(at(70, 90, 4));
  });
});
