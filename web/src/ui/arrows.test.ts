import { expect, it } from "vitest";
import { neighbourAt } from "./arrows";

it.each([
  ["ArrowRight", 2, 0],
  ["ArrowDown", 0, 1],
  ["ArrowLeft", 0, 2],
  ["ArrowUp", -1, 2],
  ["Home", 2, 0],
  ["End", 0, 2],
  ["Enter", 1, null],
])("%s from %i leads to %s of three", (key, at, to) => {
  expect(neighbourAt(key, at, 3)).toBe(to);
});

it("leads nowhere in an empty row", () => {
  expect(neighbourAt("Home", -1, 0)).toBeNull();
});
