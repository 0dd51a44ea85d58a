export const queries = {
  image: (kind: string, names: readonly string[]) => {
    const kinds: Readonly<Record<string, string>> = { region: "Regions of", tile: "Picture", case: "Case with" };
    return `${kinds[kind] ?? "Slide"} ${names.join(", ")}`;
  },
  words: (text: string) => `"${text}"`,
  without: (text: string) => `without "${text}"`,
  filter: (field: string, values: readonly string[]) => `${field}: ${values.join(" or ")}`,
  noValue: "none",
  range: (minimum: string | number | null, maximum: string | number | null) => {
    if (minimum === null) return `up to ${maximum}`;
    if (maximum === null) return `from ${minimum}`;
    return minimum === maximum ? `${minimum}` : `${minimum} to ${maximum}`;
  },
  case: (caseId: string) => `Case ${caseId}`,
  reportOf: (slideId: string) => `Report of ${slideId}`,
  pasted: (beginning: string) => `Report "${beginning} ..."`,
  kind: (kind: string) => kind.charAt(0).toUpperCase() + kind.slice(1),
} as const;

export const history = {
  title: "History",
  explain: "Searches in this tab. They are deleted when it is closed.",
  none: "No searches in this tab yet.",
  forget: "Delete all",
  when: "Time",
  what: "Search",
  filters: "Filters",
  archive: "Archive",
  results: "Results",
} as const;
