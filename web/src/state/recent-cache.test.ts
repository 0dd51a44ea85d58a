import { describe, expect, it } from "vitest";
import { RecentCache } from "./recent-cache";

describe("recent values", () => {
  it("are there until they are old", () => {
    let now = 0;
    const recent = new RecentCache<string>(2, 100, () => now);
    recent.put("a", "A");
    now = 100;
    expect(recent.get("a")).toBe("A");
    now = 101;
    expect(recent.get("a")).toBeUndefined();
  });

  it("make room for new ones, the one used longest ago first", () => {
    const recent = new RecentCache<string>(2, 100, () => 0);
    recent.put("a", "A");
    recent.put("b", "B");
    recent.get("a");
    recent.put("c", "C");
    expect(recent.get("a")).toBe("A");
    expect(recent.get("b")).toBeUndefined();
    expect(recent.get("c")).toBe("C");
  });

  it("are replaced by newer ones", () => {
    const recent = new RecentCache<string>(2, 100, () => 0);
    recent.put("a", "A");
    recent.put("a", "B");
    expect(recent.get("a")).toBe("B");
  });
});
