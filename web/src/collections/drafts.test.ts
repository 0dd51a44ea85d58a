import { describe, expect, it } from "vitest";
import { afterSaving, type Draft, draftOf, outcomeOf, withDrafts, withTyped } from "./drafts";

const item = (slide_id: string, note = "") => ({ archive: "demo", slide_id, note });
const draft = (slide_id: string, base: string, text: string): Draft => ({
  collectionId: "1",
  archive: "demo",
  slide_id,
  base,
  text,
  problem: null,
});

describe("a typed note", () => {
  it("wins over the note that it began with, and over no other", () => {
    expect(outcomeOf(draft("a", "", "mine"), "")).toBe("save");
    expect(outcomeOf(draft("a", "old", "mine"), "theirs")).toBe("conflict");
    expect(outcomeOf(draft("a", "old", ""), "old")).toBe("save");
  });

  it("is saved when somebody wrote the same, or its own answer was lost", () => {
    expect(outcomeOf(draft("a", "old", " mine\n"), "mine")).toBe("same");
  });

  it("keeps what it began with while typing goes on", () => {
    const place = { collectionId: "1", archive: "demo", slide_id: "a" };
    const first = withTyped([], place, "m", "old");
    expect(withTyped(first, place, "mi", "theirs")).toEqual([draft("a", "old", "mi")]);
    expect(draftOf(first, { ...place, collectionId: "2" })).toBeNull();
  });

  it("is none when it is typed back to what is saved", () => {
    const place = { collectionId: "1", archive: "demo", slide_id: "a" };
    expect(withTyped(withTyped([], place, "m", "old"), place, "old", "old")).toEqual([]);
  });

  it("is cut to what the server takes", () => {
    expect(withDrafts([item("a")], [draft("a", "", "x".repeat(3000))])?.[0]?.note).toHaveLength(2000);
  });
});

describe("merging into a newer version", () => {
  const newer = [item("c", "new"), item("a"), item("b", "theirs")];

  it("changes own notes only, in the newer order", () => {
    expect(withDrafts(newer, [draft("a", "", "mine"), draft("b", "", "mine too")])).toEqual([
      item("c", "new"),
      item("a", "mine"),
      item("b", "theirs"),
    ]);
  });

  it("has nothing to send when all notes are conflicts, saved, or of slides that were taken out", () => {
    expect(withDrafts(newer, [draft("b", "", "mine"), draft("c", "", "new"), draft("z", "", "gone")])).toBeNull();
  });
});

describe("after saving", () => {
  it("forgets what was saved and keeps the rest", () => {
    const sent = [draft("a", "", "mine"), draft("b", "", "mine too"), draft("z", "", "gone")];
    const items = [item("a", "mine"), item("b", "theirs")];
    expect(afterSaving(sent, sent, items)).toEqual(sent.slice(1));
  });

  it("goes on from what was saved when more was typed meanwhile", () => {
    const now = [{ ...draft("a", "", "mine and more"), problem: "no answer" }];
    expect(afterSaving(now, [draft("a", "", "mine")], [item("a", "mine")])).toEqual([
      draft("a", "mine", "mine and more"),
    ]);
  });

  it("does not touch what was typed after sending", () => {
    expect(afterSaving([draft("b", "", "later")], [], [item("b")])).toEqual([draft("b", "", "later")]);
  });
});
