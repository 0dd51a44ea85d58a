/** Numbers and counts as the texts write them. */

export const formatCount = (count: number, singular: string, plural: string): string =>
  `${count.toLocaleString("en")} ${count === 1 ? singular : plural}`;

/** 1st, 2nd, 3rd, 11th, 21st. */
export const ordinal = (number: number): string => {
  const teens = number % 100 > 10 && number % 100 < 14;
  return `${number}${teens ? "th" : (["th", "st", "nd", "rd"][number % 10] ?? "th")}`;
};

/** A figure with three decimals; 0 has no sign. */
export const formatFigure = (value: number): string => {
  const text = value.toFixed(3);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
};

/** Nothing is certain: neither 0 % nor 100 % is ever said. */
export const formatProbability = (value: number): string => {
  const percent = Math.round(value * 100);
  if (percent < 1) return "under 1\u00a0%";
  return percent > 99 ? "over 99\u00a0%" : `${percent}\u00a0%`;
};

/** A difference of probabilities. */
export const formatPoints = (difference: number): string => {
  const points = Math.round(difference * 100);
  return points < 1 ? "less than 1 point" : formatCount(points, "point", "points");
};

const UNITS = ["bytes", "kB", "MB", "GB", "TB"] as const;

/** With decimal units: 1500000 is "1.5 MB". */
export const formatSize = (bytes: number): string => {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const number = bytes / 1000 ** power;
  return `${power && number < 10 ? number.toFixed(1) : Math.round(number)} ${UNITS[power]}`;
};
