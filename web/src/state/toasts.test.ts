import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dismissText, toast, toasts } from "./toasts";

const texts = () => toasts.value.map(({ text }) => text);

describe("toasts", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    toasts.value = [];
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("say the same once, the latest last", () => {
    toast("No answer", "error");
    toast("Saved");
    toast("No answer", "error");
    expect(texts()).toEqual(["Saved", "No answer"]);
  });

  it("stay when they tell errors, until these are over", () => {
    toast("No answer", "error");
    toast("Saved");
    vi.runAllTimers();
    expect(texts()).toEqual(["No answer"]);
    dismissText("No answer");
    expect(texts()).toEqual([]);
  });
});
