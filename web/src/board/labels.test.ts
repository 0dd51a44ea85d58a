import { describe, expect, it } from "vitest";
import { readLabels, replaceLabel, writeLabels } from "./labels";

describe("labels of a board", () => {
  it.each([
    [
      ["a", "b"],
      ["a", "b"],
    ],
    [
      ["a, with a comma", 'a "quote"', "ä"],
      ["a, with a comma", 'a "quote"', "ä"],
    ],
    [
      ["a", "a", "b"],
      ["a", "b"],
    ],
    [["a"], []],
    [
      ["a", "b", "c", "d", "e"],
      ["a", "b", "c", "d"],
    ],
    [[], []],
  ])("come back from the address: %j", (labels, wanted) => {
    expect(readLabels(writeLabels(labels) ?? undefined)).toEqual(wanted);
  });

  it.each(["", "{", '"a"', "null", "[1, 2]", '["", ""]'])(
    "are none where the address makes no sense: %s",
    (written) => {
      expect(readLabels(written)).toEqual([]);
    },
  );

  it("are replaced in place, and never doubled", () => {
    expect(replaceLabel(["a", "b"], "a", "c")).toEqual(["c", "b"]);
    expect(replaceLabel(["a", "b"], "a", "b")).toEqual(["a", "b"]);
  });
});
