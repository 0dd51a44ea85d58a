import { formatCount, formatFigure, formatPoints, formatProbability } from "./formats";

export const phrases = {
  title: (labels: readonly string[]) =>
    labels.length === 1
      ? `What a report would say of region ${labels[0]}`
      : `What a report would say of regions ${labels.join(", ")}`,
  show: "Show",
  hide: "Hide",
  reading: "Reading the region",
  none: "The archive's reports state no phrases to choose from.",
  notCalibrated: (patients: number) =>
    `Not calibrated: the reports of ${formatCount(patients, "patient", "patients")} are too few for probabilities. Bars show how well the region fits each phrase, by cosine.`,
  key: "The line on a bar is the base rate: how many of the archive's patients have it in their reports.",
  by: (patients: number, error: number | null) =>
    `By the reports of ${formatCount(patients, "other patient", "other patients")}.${
      error === null ? "" : ` On patients held out, probabilities are off by ${formatPoints(error)} on average.`
    }`,
  likely: (name: string, probability: number, prior: number) =>
    `${name}: ${formatProbability(probability)} likely to be in the report; base rate ${formatProbability(prior)}`,
  similarity: (name: string, cosine: number) => `${name}: similarity ${formatFigure(cosine)}, not calibrated`,
  cosine: (cosine: number) => cosine.toFixed(2).replace("-", "\u2212"),
  stated: (patients: number, judged: number) => `${patients} of ${formatCount(judged, "patient", "patients")}`,
  examples: "as on",
  openExample: (slideId: string, name: string) => `Slide ${slideId}, whose report states ${name}: open its best region`,
} as const;
