import type { ArchiveInfo } from "../api/types";

/** Columns whose values are names of single slides, cases or persons: no labels. */
const NAMES: ReadonlySet<string> = new Set(["slide_id", "case_id", "patient_id", "report_id"]);

/** The columns that a map can be coloured by. */
export function colourColumns({ fields }: Pick<ArchiveInfo, "fields">): readonly string[] {
  return fields.filter(({ name, type }) => type === "string" && !NAMES.has(name)).map(({ name }) => name);
}

/** The column that is wanted, else that of probabilities, else the diagnosis, else the first; null: there are none. */
export function colourColumn(
  info: Pick<ArchiveInfo, "fields" | "calibrated_for">,
  wanted: string | null,
): string | null {
  const columns = colourColumns(info);
  return [wanted, info.calibrated_for, "diagnosis"].find((one) => one && columns.includes(one)) ?? columns[0] ?? null;
}
