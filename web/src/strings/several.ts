import { formatCount, formatProbability } from "./formats";

export const several = {
  all: "All archives",
  title: (count: number) => `Results from ${formatCount(count, "archive", "archives")}`,
  choose: "Ask a question above to search all archives, or choose one to see its slides:",
  ofOne: "This view shows one archive at a time. Choose one:",
  slides: (count: number) => formatCount(count, "slide", "slides"),
  byProbability: (column: string) => `Ordered by how likely each has the same ${column}.`,
  byRank: "Taken from the archives in turn: scores of different archives can't be compared.",
  noFacets: "Columns and their values differ between archives, so filters are listed for one archive at a time.",
  searching: "Searching all archives",
  none: "No archive has anything like it.",
  notAsked: (name: string, why: string) => `${name} was not searched. ${why}`,
  unlike: (name: string) => `${name}: unlike anything there.`,
  nothingFits: (name: string) => `${name}: nothing fits; these are the nearest.`,
  probability: formatProbability,
  results: "Results",
  more: "Next results",
  first: "First results",
  open: (title: string, archive: string) => `${title} in ${archive}`,
} as const;
