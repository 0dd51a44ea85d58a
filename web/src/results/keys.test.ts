import { describe, expect, it } from "vitest";
import { actionOf, movedTo } from "./keys";

const plain = { ctrlKey: false, altKey: false, metaKey: false };

describe("actionOf", () => {
  it("knows letters and arrows", () => {
    expect(actionOf({ ...plain, key: "j" })).toBe("next");
    expect(actionOf({ ...plain, key: "ArrowUp" })).toBe("previous");
    expect(actionOf({ ...plain, key: "x" })).toBeNull();
  });

  it("leaves the browser its own keys", () => {
    expect(actionOf({ ...plain, key: "-", ctrlKey: true })).toBeNull();
    expect(actionOf({ ...plain, key: "c", metaKey: true })).toBeNull();
  });
});

describe("movedTo", () => {
  it("stays within the list", () => {
    expect(movedTo("next", 9, 10)).toBe(9);
    expect(movedTo("previous", 0, 10)).toBe(0);
    expect(movedTo("last", 0, 10)).toBe(9);
    expect(movedTo("first", 5, 10)).toBe(0);
    expect(movedTo("next", 0, 0)).toBe(0);
    expect(movedTo("open", 3, 10)).toBe(3);
  });
});
