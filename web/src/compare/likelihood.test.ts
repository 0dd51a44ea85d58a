import { expect, it } from "vitest";
import { likelihood } from "./likelihood";

it.each([
  [1, "veryLikely"],
  [0.9, "veryLikely"],
  [0.89, "likely"],
  [0.66, "likely"],
  [0.5, "even"],
  [0.33, "unlikely"],
  [0.1, "veryUnlikely"],
  [0, "veryUnlikely"],
])("calls %d %s", (probability, words) => {
  expect(likelihood(probability)).toBe(words);
});
