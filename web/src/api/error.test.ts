import { describe, expect, it } from "vitest";
import { ApiError, asApiError, isAbort, problemOf } from "./error";

describe("errors of the server", () => {
  it("are told as the problem says", () => {
    const body = {
      type: "about:blank",
      title: "No such slide",
      status: 404,
      detail: "S1 is not there",
      request_id: "r1",
    };
    const error = problemOf(404, JSON.stringify(body), null);
    expect(error).toMatchObject({ status: 404, title: "No such slide", detail: "S1 is not there", requestId: "r1" });
  });

  it.each(["", "<html>Bad gateway</html>", "null", "[]"])("are told by their status without a problem: %s", (body) => {
    const error = problemOf(502, body, "r2");
    expect(error.title).toContain("502");
    expect(error).toMatchObject({ detail: "", requestId: "r2" });
  });
});

describe("other errors", () => {
  it("are a missing answer when the way to the server broke", () => {
    expect(asApiError(new TypeError("Failed to fetch"))).toMatchObject({ status: 0 });
  });

  it("stay what they are when they are of the server", () => {
    const error = new ApiError(429, "Too many", "", null);
    expect(asApiError(error)).toBe(error);
  });

  it("are no errors when the page gave up", () => {
    expect(isAbort(new DOMException("given up", "AbortError"))).toBe(true);
    expect(isAbort(new Error("AbortError"))).toBe(false);
  });
});
