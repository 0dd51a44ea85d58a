/** Lengths, extents and areas in words, and the length of a scale bar: 1, 2 or 5 times a power of ten. */

export interface Bar {
  readonly um: number;
  readonly px: number;
  readonly text: string;
}

const ROUND = [5, 2, 1] as const;

/** The longest round bar of at most `mostPx`. */
export function scaleBar(umPerScreenPx: number, mostPx: number): Bar {
  const mostUm = umPerScreenPx * mostPx;
  const power = 10 ** Math.floor(Math.log10(mostUm));
  // Rounding may have put the power just above the length, so that one below is tried as well.
  const um = [power, power / 10].flatMap((unit) => ROUND.map((n) => n * unit)).find((n) => n <= mostUm) ?? power / 10;
  return { um, px: um / umPerScreenPx, text: lengthText(um) };
}

/** "250 um", "1.5 mm", with the sign of micro. */
export function lengthText(um: number): string {
  const [value, unit] = um >= 1000 ? [um / 1000, "mm"] : [um, "\u00b5m"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** "420 x 310 um" of a rectangle, with the signs of times and micro. */
export function extentText(widthUm: number, heightUm: number): string {
  if (Math.max(widthUm, heightUm) < 1000) {
    return `${Math.round(widthUm)} \u00d7 ${Math.round(heightUm)} \u00b5m`;
  }
  return `${(widthUm / 1000).toFixed(2)} \u00d7 ${(heightUm / 1000).toFixed(2)} mm`;
}

/** "0.42 mm²" or "5,200 µm²". */
export function areaText(um2: number): string {
  const [value, unit] = um2 >= 1e5 ? [um2 / 1e6, "mm\u00b2"] : [um2, "\u00b5m\u00b2"];
  return `${Number(value.toPrecision(3)).toLocaleString("en")} ${unit}`;
}
