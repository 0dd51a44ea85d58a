export const exporting = {
  title: "Export",
  csv: "Table (CSV)",
  json: "JSON",
  print: "Print",
  resultsOf: (archive: string, kind: string, date: string) => `${date} results of ${archive} by ${kind}`,
  purpose: "for research and education",
} as const;
