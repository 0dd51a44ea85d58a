import { formatCount } from "./formats";

export const cases = {
  none: "Open a patient or a case from one of its slides.",
  patient: (patientId: string) => `Patient ${patientId}`,
  case: (caseId: string) => `Case ${caseId}`,
  noCase: "Without a case number",
  contents: (slides: number, cases: number) =>
    cases > 1 ? `${formatCount(slides, "slide", "slides")} in ${cases} cases` : formatCount(slides, "slide", "slides"),
  more: (shown: number) => `The first ${shown} are shown.`,
  collectAll: "Collect all",
  likePatient: "Search with this patient's slides",
  searchTip: "Finds similar cases; slides of the same patient are left out",
  report: (slides: number | null) =>
    slides === null ? "Report" : `Report of ${formatCount(slides, "slide", "slides")}`,
} as const;
