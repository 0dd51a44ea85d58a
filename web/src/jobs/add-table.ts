/** The table of what is known of slides to be added. */
import type { JobRequest, Upload } from "../api/types";

/** Columns, with the most characters of each. */
export const COLUMNS = {
  slide_id: 200,
  case_id: 200,
  patient_id: 200,
  diagnosis: 300,
  organ: 100,
  stain: 100,
  spacing: 10,
} as const;
export type Column = keyof typeof COLUMNS;

/** What was typed, by upload and column. */
export type Cells = Readonly<Record<string, Partial<Readonly<Record<Column, string>>>>>;

type Reports = ReadonlyMap<string, { readonly text: string }>;

/** All columns; the size of pixels only where a file does not say it. */
export function columnsFor(uploads: readonly Upload[]): readonly Column[] {
  const all = Object.keys(COLUMNS) as Column[];
  return uploads.every(({ image }) => image.spacing_um_per_px) ? all.filter((column) => column !== "spacing") : all;
}

/** The table with one column the same for all. */
export function filledForAll(cells: Cells, uploads: readonly Upload[], column: Column, value: string): Cells {
  return Object.fromEntries(uploads.map(({ upload_id: id }) => [id, { ...cells[id], [column]: value }]));
}

/** The job that adds the slides; what is empty is left out. */
export function requestOf(uploads: readonly Upload[], cells: Cells, reports: Reports): JobRequest {
  return {
    uploads: uploads.map(({ upload_id }) => {
      const { slide_id, ...others } = cells[upload_id] ?? {};
      const given = Object.entries(others).filter(([, value]) => value.trim());
      return {
        upload_id,
        slide_id: slide_id?.trim() || null,
        metadata: Object.fromEntries(
          given.map(([column, value]) => [column, value.trim().replace(",", column === "spacing" ? "." : ",")]),
        ),
        report: reports.get(upload_id)?.text ?? null,
      };
    }),
    files: [],
  };
}
