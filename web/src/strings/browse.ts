import { formatCount } from "./formats";

export const browse = {
  title: "Slides of the archive",
  total: (count: number, narrowed: boolean) =>
    narrowed
      ? `${formatCount(count, "slide matches", "slides match")} the filters`
      : formatCount(count, "slide", "slides"),
  grid: "Pictures",
  asTable: "Table",
  columns: "Columns",
  sortBy: "Sort by",
  ascending: "Ascending: sort the other way round",
  descending: "Descending: sort the other way round",
  more: "Show more",
  examples: "What can be asked",
  nothing: "No slide matches all filters",
  empty: "This archive has no slides yet",
  selectKey: "Select the first slide; 2 to 9 the others, Shift all between",
  select: (title: string) => `Select ${title}`,
  selected: "Selected slides",
  count: (count: number) => `${count} selected`,
  compare: "Compare",
  compareTip: "Compare two slides",
  searchWith: (count: number) => (count === 1 ? "Search with it" : "Search with them as a case"),
  table: "Table (CSV)",
  tableOf: (archive: string) => `${archive} slides`,
  clear: "Clear",
} as const;
