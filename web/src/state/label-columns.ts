import type { ArchiveInfo, FieldInfo } from "../api/types";

// Each slide, case or patient has its own: nothing to vote on.
const NO_LABELS = new Set(["slide_id", "case_id", "patient_id", "report"]);

/** The columns whose values are labels, such as diagnosis and organ: those that a vote can be on. */
export function labelColumns(fields: readonly FieldInfo[]): string[] {
  return fields.filter(({ name, type }) => type === "string" && !NO_LABELS.has(name)).map(({ name }) => name);
}

/** The column that results vote on unless another was chosen: the one that probabilities are of, else the diagnosis. */
export function usualVote({ fields, calibrated_for }: Pick<ArchiveInfo, "fields" | "calibrated_for">): string | null {
  return calibrated_for ?? labelColumns(fields).find((name) => name === "diagnosis") ?? null;
}
