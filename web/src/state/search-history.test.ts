import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { PastSearch } from "./search-history";

const search = (href: string, results = 1): PastSearch => ({
  href,
  label: "",
  filters: "",
  archive: "",
  at: "",
  results,
});

describe("past searches", () => {
  let withSearch: typeof import("./search-history").withSearch;
  beforeAll(async () => {
    vi.stubGlobal("sessionStorage", { getItem: () => null });
    ({ withSearch } = await import("./search-history"));
  });
  afterAll(() => {
    vi.unstubAllGlobals();
  });

  it("have the latest first", () => {
    expect(withSearch([search("#1")], search("#2")).map(({ href }) => href)).toEqual(["#2", "#1"]);
  });

  it("have each address once, as it was found last", () => {
    const searches = withSearch([search("#1"), search("#2")], search("#2", 7));
    expect(searches).toEqual([search("#2", 7), search("#1")]);
  });

  it("forget the oldest", () => {
    const many = Array.from({ length: 80 }, (_, at) => search(`#${at}`)).reduce(
      withSearch,
      [] as readonly PastSearch[],
    );
    expect(many).toHaveLength(50);
    expect(many.at(-1)?.href).toBe("#30");
  });
});
