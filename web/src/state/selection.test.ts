import { beforeEach, describe, expect, it } from "vitest";
import { clearSelection, selectedIds, selection, selectTo, toggleSelected } from "./selection";

const LISTED = ["a", "b", "c", "d"];

describe("the selection", () => {
  beforeEach(clearSelection);

  it("keeps the order in which slides were selected, and lets go of one that is selected again", () => {
    for (const id of ["c", "a", "b", "c"]) toggleSelected(id);
    expect(selection.value).toEqual(["a", "b"]);
    expect(selectedIds.value.has("c")).toBe(false);
  });

  it("takes all between two slides, in either direction", () => {
    toggleSelected("d");
    selectTo("b", LISTED);
    expect([...selection.value].sort()).toEqual(["b", "c", "d"]);
  });

  it("takes one slide where nothing was selected before, or the list is another", () => {
    selectTo("b", LISTED);
    expect(selection.value).toEqual(["b"]);
    toggleSelected("x");
    selectTo("c", LISTED);
    expect(selection.value).toEqual(["b", "x", "c"]);
  });
});
