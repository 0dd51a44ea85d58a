import { describe, expect, it } from "vitest";
import { NO_MARKS } from "../state/route";
import { markOf, toggleMark, withMark } from "./marks";

describe("marks", () => {
  it("moves a slide from one list to the other", () => {
    const marks = withMark(withMark(NO_MARKS, "S-1", "relevant"), "S-1", "irrelevant");
    expect(marks).toEqual({ relevant: [], irrelevant: ["S-1"] });
    expect(markOf(marks, "S-1")).toBe("irrelevant");
    expect(markOf(marks, "S-2")).toBeNull();
  });

  it("takes a mark back when the same button is pressed again", () => {
    expect(toggleMark("relevant", "relevant")).toBeNull();
    expect(toggleMark("irrelevant", "relevant")).toBe("relevant");
    expect(toggleMark(null, "irrelevant")).toBe("irrelevant");
    expect(withMark({ relevant: ["a", "b"], irrelevant: [] }, "a", null)).toEqual({ relevant: ["b"], irrelevant: [] });
  });

  it("keeps the newest where there are more than the server takes", () => {
    const many = Array.from({ length: 100 }, (_, at) => `S-${at}`);
    const marks = withMark({ relevant: many, irrelevant: [] }, "new", "relevant");
    expect(marks.relevant).toHaveLength(100);
    expect(marks.relevant.at(-1)).toBe("new");
    expect(marks.relevant).not.toContain("S-0");
  });
});
