import { expect, it } from "vitest";
import { splitIntoChunks } from "./chunks";

const size = (text: string) => text.length;

it("fills groups up to their size, in order", () => {
  expect(splitIntoChunks(["aa", "bb", "c", "dddd", "e"], size, 5)).toEqual([
    ["aa", "bb", "c"],
    ["dddd", "e"],
  ]);
});

it("leaves what is too large alone, and makes no empty groups", () => {
  expect(splitIntoChunks(["aaaaaaaa", "b"], size, 5)).toEqual([["aaaaaaaa"], ["b"]]);
  expect(splitIntoChunks([], size, 5)).toEqual([]);
});
