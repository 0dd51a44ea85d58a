import { describe, expect, it } from "vitest";
import { contentOf, holds, withInserted, withMoved, withoutSlide, withSlides } from "./edit";

const item = (slide_id: string, note = "") => ({ archive: "demo", slide_id, note });
const ids = (items: readonly { slide_id: string }[]) => items.map(({ slide_id }) => slide_id).join("");
const abc = [item("a"), item("b", "see margin"), item("c")];

describe("items of a collection", () => {
  it("takes a slide once", () => {
    expect(ids(withSlides(abc, [item("b"), item("d"), item("d")]))).toBe("abcd");
    expect(withSlides(abc, [item("b")])[1]?.note).toBe("see margin");
  });

  it("knows slides by archive and id", () => {
    expect(holds(abc, { archive: "other", slide_id: "a" })).toBe(false);
    expect(ids(withoutSlide(abc, item("b")))).toBe("ac");
  });

  it("moves within the list and stays at its ends", () => {
    expect(ids(withMoved(abc, item("a"), 1))).toBe("bac");
    expect(ids(withMoved(abc, item("c"), -2))).toBe("cab");
    expect(ids(withMoved(abc, item("c"), 1))).toBe("abc");
    expect(ids(withMoved(abc, item("a"), -1))).toBe("abc");
    expect(ids(withMoved(abc, item("z"), 1))).toBe("abc");
  });

  it("puts back what was taken out where it was", () => {
    const taken = abc[1] as (typeof abc)[number];
    expect(withInserted(withoutSlide(abc, taken), taken, 1)).toEqual(abc);
    expect(withInserted(abc, taken, 0)).toEqual(abc);
  });
});

it("sends the version that was changed", () => {
  const items = abc.map((one) => ({ ...one, added: "2026-01-01T00:00:00Z" }));
  const sharing = { people: [], everybody: null };
  const times = { created: "", updated: "" };
  const collection = {
    collection_id: "1",
    owner: "ann",
    name: "n",
    items,
    slides: 3,
    version: 4,
    ...times,
    access: "own",
    sharing,
  } as const;
  expect(contentOf(collection, { name: "m" })).toEqual({ name: "m", items: abc, version: 4 });
});
