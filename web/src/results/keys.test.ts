import { expect, it } from "vitest";
import { movedTo } from "./keys";

it("moves within the list and stays at its ends", () => {
  expect(movedTo("ArrowDown", 3, 10)).toBe(4);
  expect(movedTo("ArrowDown", 9, 10)).toBe(9);
  expect(movedTo("ArrowDown", -1, 10)).toBe(0);
  expect(movedTo("ArrowUp", 0, 10)).toBe(0);
  expect(movedTo("End", 0, 10)).toBe(9);
  expect(movedTo("Home", 5, 10)).toBe(0);
  expect(movedTo("End", 0, 0)).toBe(0);
});

it("knows no other keys", () => {
  expect(movedTo("x", 3, 10)).toBeNull();
});
