import { describe, expect, it } from "vitest";
import { textStoreIn } from "./text-store";

/** A storage that takes as many characters as `most`. */
function storage(most = Number.POSITIVE_INFINITY) {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => {
      const others = [...kept].filter(([key]) => key !== name).reduce((sum, [, text]) => sum + text.length, 0);
      if (others + value.length > most) throw new DOMException("full", "QuotaExceededError");
      kept.set(name, value);
    },
    removeItem: (name: string) => void kept.delete(name),
    key: (at: number) => [...kept.keys()][at] ?? null,
    get length() {
      return kept.size;
    },
  };
}

describe("kept texts", () => {
  it("come back by their key", () => {
    const texts = textStoreIn(storage());
    expect(texts.recall(texts.keep("Kidney, left."))).toBe("Kidney, left.");
    expect(texts.recall("another")).toBeNull();
  });

  it("have equal keys when equal, also in another store, and others when a letter changes", () => {
    const texts = textStoreIn(storage());
    expect(texts.keep("grade 2")).toBe(textStoreIn(storage()).keep("grade 2"));
    expect(texts.keep("grade 2")).not.toBe(texts.keep("grade 3"));
  });

  it("make room for a new one where the storage is full, and leave what is not theirs", () => {
    const small = storage(30);
    small.setItem("other", "12345");
    const texts = textStoreIn(small);
    const old = texts.keep("a first report text");
    const recent = texts.keep("a second report text");
    expect(texts.recall(old)).toBeNull();
    expect(texts.recall(recent)).toBe("a second report text");
    expect(small.getItem("other")).toBe("12345");
  });
});
