import type { FieldFilter, Value } from "../api/types";
import { strings } from "../strings";

/** The name of a field to be read: "tissue_type" is "Tissue type". */
export function fieldTitle(field: string): string {
  const titles: Readonly<Record<string, string>> = strings.facets.fields;
  const text = titles[field] ?? field.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A value to be read: concepts of reports are written with hyphens, values of metadata are as they are. */
export function valueTitle(value: Value, source: FieldFilter["source"]): string {
  if (value === null || value === "") return strings.facets.noValue;
  const text = String(value);
  return source === "report" ? text.replace(/(?<=[a-z])-(?=[a-z])/gi, " ") : text;
}
