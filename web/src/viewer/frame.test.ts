import { describe, expect, it } from "vitest";
import { MATCH_COLOURS, TEXT_COLOURS } from "../ui/colours";
import { type Frame, frameAt, inkOn } from "./frame";

const frame = (id: string, x: number, edge: number): Frame => ({
  id,
  rect: { x, y: 0, width: edge, height: edge },
  colour: "#d81b60",
  label: id,
  name: id,
  kind: "match",
});

describe("frameAt", () => {
  const frames = [frame("within", 40, 20), frame("around", 0, 100), frame("beside", 200, 10)];

  it("is the smallest around a point", () => {
    expect(frameAt(frames, { x: 50, y: 10 })?.id).toBe("within");
    expect(frameAt(frames, { x: 10, y: 90 })?.id).toBe("around");
    expect(frameAt(frames, { x: 150, y: 5 })).toBeNull();
  });
});

describe("inkOn", () => {
  it.each([
    ["#000000", "#ffffff"],
    ["#ffffff", "#000000"],
    ["#e69f00", "#000000"],
    ["#004d40", "#ffffff"],
  ])("on %s is %s", (colour, ink) => {
    expect(inkOn(colour)).toBe(ink);
  });

  it.each([...MATCH_COLOURS, ...TEXT_COLOURS])("can be read on %s (4.5 to 1)", (colour) => {
    const linear = (share: number) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);
    const bright = (hex: string) =>
      [0.2126, 0.7152, 0.0722].reduce(
        (sum, weight, i) => sum + weight * linear(Number.parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16) / 255),
        0.05,
      );
    const [a, b] = [bright(colour), bright(inkOn(colour))];
    expect(Math.max(a, b) / Math.min(a, b)).toBeGreaterThan(4.5);
  });
});
