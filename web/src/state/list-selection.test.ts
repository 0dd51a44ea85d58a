import { expect, it } from "vitest";
import { placeOfDigit } from "./list-selection";

it("knows number keys by their place on the keyboard", () => {
  expect(placeOfDigit("Digit1")).toBe(0);
  expect(placeOfDigit("Numpad9")).toBe(8);
  expect(placeOfDigit("Digit0")).toBeNull();
  expect(placeOfDigit("KeyA")).toBeNull();
});
