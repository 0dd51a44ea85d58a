/** Contrast as WCAG 2.2 defines it: text 4.5:1 on its ground, lines of controls and the focus 3:1. */
import { describe, expect, it } from "vitest";
import css from "./tokens.css?raw";

type Tokens = Readonly<Record<string, string>>;

const [lightPart = "", darkPart = ""] = css.split(':root[data-theme="dark"]');
const light = tokensOf(lightPart);
const THEMES: readonly [string, Tokens][] = [
  ["light", light],
  ["dark", { ...light, ...tokensOf(darkPart) }],
];

const TEXTS: readonly [string, readonly string[]][] = [
  ["text", ["ground", "surface", "sunken", "accent-wash"]],
  ["text-soft", ["ground", "surface", "sunken"]],
  ["text-faint", ["ground", "surface"]],
  ["accent", ["ground", "surface"]],
  ["accent-strong", ["surface", "accent-wash"]],
  ["on-accent", ["accent", "accent-strong"]],
  ["danger", ["surface"]],
  ["warning", ["ground", "surface", "warning-wash"]],
  ["good", ["surface"]],
  ["on-mark", ["mark", "mark-words"]],
];
const LINES: readonly [string, readonly string[]][] = [
  ["line-strong", ["ground", "surface"]],
  ["focus", ["ground", "surface"]],
];

function tokensOf(part: string): Tokens {
  return Object.fromEntries([...part.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]));
}

/** Relative luminance of an sRGB colour. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [darker = 0, brighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (brighter + 0.05) / (darker + 0.05);
}

function lacking(tokens: Tokens, pairs: typeof TEXTS, least: number): string[] {
  const all = pairs.flatMap(([front, grounds]) => grounds.map((ground) => [front, ground] as const));
  return all
    .map(([front, ground]) => ({ front, ground, found: contrast(tokens[front] ?? "", tokens[ground] ?? "") }))
    .filter(({ found }) => !(found >= least))
    .map(({ front, ground, found }) => `${front} on ${ground}: ${found.toFixed(2)}`);
}

it("contrast is that of the standard's own examples", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21);
  expect(contrast("#767676", "#ffffff")).toBeCloseTo(4.54, 2);
});

describe.each(THEMES)("%s colours", (_, tokens) => {
  it("let text be read", () => {
    expect(lacking(tokens, TEXTS, 4.5)).toEqual([]);
  });

  it("let controls and the focus be seen", () => {
    expect(lacking(tokens, LINES, 3)).toEqual([]);
  });

  it("give slides grounds without a hue", () => {
    for (const name of ["ground", "surface", "sunken", "slide-ground"]) {
      expect(tokens[name]).toMatch(/^#(..)\1\1$/);
    }
  });
});
