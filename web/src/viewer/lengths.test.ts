import { describe, expect, it } from "vitest";
import { extentText, lengthText, scaleBar } from "./lengths";
import { isWithinScan, magnification, magnificationText, STEPS, umPerScreenPx } from "./magnification";

describe("scaleBar", () => {
  it.each([
    [0.25, 100, 20, "20 \u00b5m"],
    [0.5, 100, 50, "50 \u00b5m"],
    [1, 100, 100, "100 \u00b5m"],
    [10, 199.9, 1000, "1 mm"],
    [36.7, 150, 5000, "5 mm"],
    [0.005, 100, 0.5, "0.5 \u00b5m"],
    [120, 100, 10_000, "10 mm"],
  ])("at %d um per px and %d px is %d um", (umPerPx, mostPx, um, text) => {
    const bar = scaleBar(umPerPx, mostPx);
    expect(bar.um).toBeCloseTo(um, 9);
    expect(bar.px * umPerPx).toBeCloseTo(um, 9);
    expect(bar.text).toBe(text);
  });

  it("is round and between two fifths of the room and all of it, whatever the zoom", () => {
    for (let umPerPx = 0.01; umPerPx < 300; umPerPx *= 1.013) {
      const bar = scaleBar(umPerPx, 140);
      const digit = Number(bar.um.toExponential().slice(0, bar.um.toExponential().indexOf("e")));
      expect([1, 2, 5]).toContain(Number(digit.toFixed(6)));
      expect(bar.px).toBeLessThanOrEqual(140 + 1e-9);
      expect(bar.px).toBeGreaterThan(140 * 0.4 - 1e-9);
    }
  });
});

describe("texts of sizes", () => {
  it("turn to mm from 1000 um", () => {
    expect(lengthText(999)).toBe("999 \u00b5m");
    expect(lengthText(1500)).toBe("1.5 mm");
    expect(extentText(420.4, 309.6)).toBe("420 \u00d7 310 \u00b5m");
    expect(extentText(1500, 320)).toBe("1.50 \u00d7 0.32 mm");
  });
});

describe("magnification", () => {
  it("is 10x at 1 um per px and 40x at 0.25", () => {
    expect(magnification(1)).toBe(10);
    expect(magnification(0.25)).toBe(40);
    for (const times of STEPS) expect(magnification(umPerScreenPx(times))).toBeCloseTo(times, 12);
  });

  it.each([
    [0.2525, [1, 5, 10, 20, 40]],
    [0.499, [1, 5, 10, 20]],
    [0.5015, [1, 5, 10, 20]],
    [1, [1, 5, 10]],
  ])("of a scan of %d um per px goes to %j", (spacing, steps) => {
    expect(STEPS.filter((times) => isWithinScan(times, spacing))).toEqual(steps);
  });

  it.each([
    [0.8421, "0.84\u00d7"],
    [3.372, "3.4\u00d7"],
    [9.96, "10\u00d7"],
    [40, "40\u00d7"],
  ])("%d is told as %s", (times, text) => {
    expect(magnificationText(times)).toBe(text);
  });
});
