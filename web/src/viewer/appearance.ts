/**
 * How slides are shown, as an SVG filter has it; the server's viewing/appearance.py is the same in numbers. The address
 * holds it as "brightness,contrast,gamma,stain", in percent.
 */

export const STAINS = ["haematoxylin", "eosin"] as const;
export type Stain = (typeof STAINS)[number];

/** brightness: added, -1 to 1; contrast: times the distance from grey; gamma: above 1 lightens dark tissue. */
export interface Appearance {
  readonly brightness: number;
  readonly contrast: number;
  readonly gamma: number;
  readonly stain: Stain | null;
}

export const AS_SCANNED: Appearance = Object.freeze({ brightness: 0, contrast: 1, gamma: 1, stain: null });

export const RANGES = {
  brightness: { least: -0.5, most: 0.5 },
  contrast: { least: 0.5, most: 2.5 },
  gamma: { least: 0.4, most: 2.5 },
} as const;

/** Optical densities in red, green and blue (Ruifrok and Johnston, 2001). */
const VECTORS = { haematoxylin: unit([0.65, 0.704, 0.286]), eosin: unit([0.072, 0.99, 0.105]) } as const;

/** Densities beyond this are as good as black; eight bits are shared out over those below. */
const MOST_DENSITY = 2.6;

type Vector = readonly [number, number, number];

export function readAppearance(written: string | undefined): Appearance {
  const [brightness, contrast, gamma, stain] = (written ?? "").split(",");
  const read = (text: string | undefined, name: keyof typeof RANGES): number => {
    const value = Number.parseInt(text ?? "", 10) / 100;
    const { least, most } = RANGES[name];
    return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : AS_SCANNED[name];
  };
  return {
    brightness: read(brightness, "brightness"),
    contrast: read(contrast, "contrast"),
    gamma: read(gamma, "gamma"),
    stain: STAINS.find((known) => known === stain) ?? null,
  };
}

/** Null for slides as they were scanned. */
export function writeAppearance({ brightness, contrast, gamma, stain }: Appearance): string | null {
  const written = [...[brightness, contrast, gamma].map((value) => Math.round(value * 100)), stain ?? ""].join(",");
  return written === "0,100,100," ? null : written;
}

/** From densities to those of one stain alone: twenty numbers for feColorMatrix. */
export function stainMatrix(stain: Stain): string {
  const { haematoxylin, eosin } = VECTORS;
  const rest = unit(cross(haematoxylin, eosin));
  const [one, other] = stain === "haematoxylin" ? [haematoxylin, eosin] : [eosin, haematoxylin];
  const normal = cross(other, rest);
  const share = dot(one, normal);
  const rows = one.map((part) => [...normal.map((value) => ((part * value) / share).toFixed(5)), 0, 0]);
  return [...rows, [0, 0, 0, 1, 0]].map((row) => row.join(" ")).join(" ");
}

/** Density of each of 256 values, as a share of the most. */
export function densityTable(): string {
  return table((value) => Math.min(1, -Math.log(Math.max(value, 1 / 255)) / MOST_DENSITY));
}

/** The value of each of 256 densities. */
export function lightTable(): string {
  return table((density) => Math.exp(-density * MOST_DENSITY));
}

function table(compute: (share: number) => number): string {
  return Array.from({ length: 256 }, (_, at) => compute(at / 255).toFixed(4)).join(" ");
}

function unit([x, y, z]: Vector): Vector {
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

function cross([a, b, c]: Vector, [x, y, z]: Vector): Vector {
  return [b * z - c * y, c * x - a * z, a * y - b * x];
}

function dot([a, b, c]: Vector, [x, y, z]: Vector): number {
  return a * x + b * y + c * z;
}
