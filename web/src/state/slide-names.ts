/** The names of slides that people know, and what they are labelled with. */
import type { Slide, Value } from "../api/types";
import { strings } from "../strings";

/** The name of a slide's file; "" where it is not known, or where the id says it already. */
export function fileNameOf({ slide_id, file_name }: Pick<Slide, "slide_id" | "file_name">): string {
  const says = slide_id === file_name || file_name.startsWith(`${slide_id}.`);
  return says ? "" : file_name;
}

/** What a slide is known by besides its id: its file and its patient, as far as they are known. */
export function otherNamesOf(slide: Pick<Slide, "slide_id" | "file_name" | "patient_id">): string[] {
  return [fileNameOf(slide), slide.patient_id ? strings.app.patient(slide.patient_id) : ""].filter(Boolean);
}

/** The value of a slide in a column of the archive; null for none. */
export function valueIn(slide: Slide, column: string): Value {
  const { extra, ...own } = slide;
  const value = (own as Readonly<Record<string, Value>>)[column] ?? extra[column] ?? null;
  return value === "" ? null : value;
}
