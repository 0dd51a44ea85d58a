import { expect, it } from "vitest";
import { placeAfterKey } from "./keys";

it("moves within the list and stays at its ends", () => {
  expect(placeAfterKey("ArrowDown", 3, 10)).toBe(4);
  expect(placeAfterKey("ArrowDown", 9, 10)).toBe(9);
  expect(placeAfterKey("ArrowDown", -1, 10)).toBe(0);
  expect(placeAfterKey("ArrowUp", 0, 10)).toBe(0);
  expect(placeAfterKey("End", 0, 10)).toBe(9);
  expect(placeAfterKey("Home", 5, 10)).toBe(0);
  expect(placeAfterKey("End", 0, 0)).toBe(0);
});

it("moves by rows and columns in a grid", () => {
  expect(placeAfterKey("ArrowDown", 1, 10, 4)).toBe(5);
  expect(placeAfterKey("ArrowUp", 1, 10, 4)).toBe(0);
  expect(placeAfterKey("ArrowRight", 3, 10, 4)).toBe(4);
  expect(placeAfterKey("ArrowLeft", 3, 10, 4)).toBe(2);
  expect(placeAfterKey("ArrowRight", 3, 10)).toBeNull();
});

it("knows no other keys", () => {
  expect(placeAfterKey("x", 3, 10)).toBeNull();
});
