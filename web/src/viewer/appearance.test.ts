import { describe, expect, it } from "vitest";
import { AS_SCANNED, densityTable, lightTable, readAppearance, stainMatrix, writeAppearance } from "./appearance";

describe("the appearance in the address", () => {
  it("is nothing for slides as scanned, and is read as it was written", () => {
    expect(writeAppearance(AS_SCANNED)).toBeNull();
    expect(readAppearance(undefined)).toEqual(AS_SCANNED);
    const dark = { brightness: -0.2, contrast: 1.4, gamma: 0.8, stain: "eosin" as const };
    expect(readAppearance(writeAppearance(dark) ?? "")).toEqual(dark);
  });

  it("keeps within what can be set, whatever is written", () => {
    expect(readAppearance("900,-4,x,brown")).toEqual({ ...AS_SCANNED, brightness: 0.5, contrast: 0.5 });
  });
});

describe("the filter of one stain", () => {
  const apply = (matrix: string, densities: readonly number[]): number[] => {
    const numbers = matrix.split(" ").map(Number);
    return [0, 1, 2].map((row) =>
      [0, 1, 2].reduce((sum, at) => sum + (numbers[row * 5 + at] ?? 0) * (densities[at] ?? 0), 0),
    );
  };

  it("keeps the stain and takes the other away", () => {
    const haematoxylin = [0.65, 0.704, 0.286];
    const eosin = [0.072, 0.99, 0.105];
    apply(stainMatrix("haematoxylin"), haematoxylin).forEach((part, at) => {
      expect(part).toBeCloseTo(haematoxylin[at] ?? 0, 3);
    });
    for (const part of apply(stainMatrix("haematoxylin"), eosin)) expect(part).toBeCloseTo(0, 3);
    for (const part of apply(stainMatrix("eosin"), haematoxylin)) expect(part).toBeCloseTo(0, 3);
  });

  it("goes to densities and back", () => {
    const [densities, light] = [densityTable(), lightTable()].map((text) => text.split(" ").map(Number));
    for (const value of [30, 90, 160, 220, 255]) {
      const back = light?.[Math.round((densities?.[value] ?? 0) * 255)] ?? 0;
      expect(Math.abs(back * 255 - value)).toBeLessThan(2);
    }
  });
});
