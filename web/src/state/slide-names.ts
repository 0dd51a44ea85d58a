/** The names of slides that people know, and what they are labelled with. */
import type { Slide, Value } from "../api/types";
import { strings } from "../strings";

/** The name of a slide's file; "" where it is not known, or where the title says it already. */
export function fileNameOf({ title, file_name }: Pick<Slide, "title" | "file_name">): string {
  const says = title === file_name || file_name.startsWith(`${title}.`);
  return says ? "" : file_name;
}

/** What a slide is known by besides its title: its file and its patient, as far as they are known. */
export function otherNamesOf(slide: Pick<Slide, "title" | "file_name" | "patient_id">): string[] {
  return [fileNameOf(slide), slide.patient_id ? strings.app.patient(slide.patient_id) : ""].filter(Boolean);
}

/** The value of a slide in a column of the archive; null for none. */
export function valueIn(slide: Slide, column: string): Value {
  const { extra, ...own } = slide;
  const value = (own as Readonly<Record<string, Value>>)[column] ?? extra[column] ?? null;
  return value === "" ? null : value;
}
