import { formatCount } from "./formats";

export const board = {
  title: "Differential",
  heading: (question: string) => `Differential for ${question}`,
  back: "Results",
  nothing: "Search with a slide, a region or words first; then the diagnoses near it can be weighed here.",
  explain: (fieldUm: number | null) =>
    `Cases of the archive nearest to the query, one a patient${
      fieldUm === null ? "" : `; fields are ${fieldUm.toLocaleString("en")}\u00a0µm wide`
    }. What the archive lacks is in no column.`,
  query: "What was asked",
  querySlide: (name: string) => `Query ${name}`,
  noPicture: "The picture of this slide can't be shown.",
  draw: "Draw a region, and the board is for that region alone.",
  add: "Add a diagnosis",
  addHint: "Add a diagnosis …",
  replace: (label: string) => `Another diagnosis in place of ${label}`,
  replaceHint: "Change …",
  remove: (label: string) => `Remove ${label}`,
  nearest: (label: string) => `Nearest cases of ${label}`,
  none: "No case of this diagnosis fits the query and the filters.",
  counter: (label: string) => `Looks like it, but is ${label}`,
  counterWhy: (label: string) => `Of all other diagnoses the slide most like the nearest one of ${label}.`,
  terms: (reports: number) => `In the reports of ${formatCount(reports, "patient", "patients")}`,
  term: "Term",
  here: "here",
  others: "others",
  of: (stated: number, judged: number) => `${stated}\u00a0of\u00a0${judged}`,
  chance: "(may be chance)",
  noTerms: "No term of their reports tells these cases from the others.",
  noReports: "None of these cases has a report.",
} as const;
