import { signal } from "@preact/signals";
import { describe, expect, it } from "vitest";
import { ApiError } from "../api/error";
import { reloadUnanswered, resource } from "./resource";

/** A key that can be changed, and requests that are answered by hand. */
function byHand() {
  const key = signal<string | null>(null);
  const asked: { key: string; signal: AbortSignal; answer: (value: string) => void; refuse: (error: Error) => void }[] =
    [];
  const made = resource(
    () => key.value,
    (wanted: string, signal) =>
      new Promise<string>((answer, refuse) => asked.push({ key: wanted, signal, answer, refuse })),
  );
  return { key, asked, made };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("a resource", () => {
  it("asks nothing without a key", () => {
    const { asked, made } = byHand();
    expect(asked).toEqual([]);
    expect(made.state.value).toEqual({ loading: false, value: null, error: null });
  });

  it("has the answer of its key, and keeps it while the next is on its way", async () => {
    const { key, asked, made } = byHand();
    key.value = "a";
    expect(made.state.value.loading).toBe(true);
    asked[0]?.answer("A");
    await settled();
    expect(made.state.value).toEqual({ loading: false, value: "A", error: null });
    key.value = "b";
    expect(made.state.value).toEqual({ loading: true, value: "A", error: null });
  });

  it("gives up what was asked for a former key, even if its answer comes later", async () => {
    const { key, asked, made } = byHand();
    key.value = "a";
    key.value = "b";
    expect(asked[0]?.signal.aborted).toBe(true);
    asked[1]?.answer("B");
    asked[0]?.answer("A");
    await settled();
    expect(made.state.value.value).toBe("B");
  });

  it("tells why it failed, and tries again when it is told to", async () => {
    const { key, asked, made } = byHand();
    key.value = "a";
    asked[0]?.refuse(new ApiError(503, "Busy", "", "r1"));
    await settled();
    expect(made.state.value).toMatchObject({ loading: false, value: null, error: { status: 503 } });
    made.reload();
    asked[1]?.answer("A");
    await settled();
    expect(made.state.value).toEqual({ loading: false, value: "A", error: null });
  });

  it("is asked for again with all others that had no answer", async () => {
    const [lost, refused, gone] = [byHand(), byHand(), byHand()];
    for (const { key } of [lost, refused, gone]) key.value = "a";
    lost.asked[0]?.refuse(new TypeError("no network"));
    refused.asked[0]?.refuse(new ApiError(404, "Not found", "", null));
    gone.asked[0]?.refuse(new TypeError("no network"));
    await settled();
    gone.made.dispose();
    reloadUnanswered();
    expect([lost, refused, gone].map(({ asked }) => asked.length)).toEqual([2, 1, 1]);
    lost.asked[1]?.answer("A");
    await settled();
    reloadUnanswered();
    expect(lost.asked).toHaveLength(2);
    expect(lost.made.state.value).toEqual({ loading: false, value: "A", error: null });
  });

  it("is empty again without a key, and asks no more once it is given up", async () => {
    const { key, asked, made } = byHand();
    key.value = "a";
    key.value = null;
    expect(made.state.value.loading).toBe(false);
    made.dispose();
    key.value = "b";
    expect(asked).toHaveLength(1);
  });

  it("follows its key only, not what loading looks at", () => {
    const other = signal(1);
    let times = 0;
    resource(
      () => "a",
      async () => {
        times += other.value;
      },
    );
    other.value = 2;
    expect(times).toBe(1);
  });

  it("does not ask again for an equal key", () => {
    const size = signal({ px: 1 });
    let times = 0;
    resource(
      () => size.value,
      async () => {
        times += 1;
      },
    );
    size.value = { px: 1 };
    expect(times).toBe(1);
  });
});
