import { describe, expect, it } from "vitest";
import { textStoreIn } from "./texts";

function store() {
  const kept = new Map<string, string>();
  return textStoreIn({ getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) });
}

describe("kept texts", () => {
  it("come back by their key", () => {
    const texts = store();
    expect(texts.recall(texts.keep("Kidney, left."))).toBe("Kidney, left.");
    expect(texts.recall("another")).toBeNull();
  });

  it("have equal keys when equal, and others when a letter changes", () => {
    const texts = store();
    expect(texts.keep("grade 2")).toBe(texts.keep("grade 2"));
    expect(texts.keep("grade 2")).not.toBe(texts.keep("grade 3"));
  });
});
