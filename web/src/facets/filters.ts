import type { FacetField, FacetValue, FieldFilter, Value } from "../api/types";

type Filters = readonly FieldFilter[];
type Named = Pick<FieldFilter, "source" | "field">;

function isOf(filter: FieldFilter, field: Named): boolean {
  return filter.source === field.source && filter.field === field.field;
}

/** The values that a field is narrowed to. */
export function selectedValues(filters: Filters, field: Named): readonly Value[] {
  return filters.find((filter) => isOf(filter, field))?.values ?? [];
}

/** The filters with a value put in, or taken out where it was in. */
export function withToggled(filters: Filters, field: Named, value: Value): FieldFilter[] {
  const chosen = selectedValues(filters, field);
  const values = chosen.includes(value) ? chosen.filter((other) => other !== value) : [...chosen, value];
  return withValues(filters, field, values);
}

/** The filters with other values for a field; none: the field narrows no more. Filters keep their order. */
export function withValues(filters: Filters, field: Named, values: readonly Value[]): FieldFilter[] {
  const filter: FieldFilter = { source: field.source, field: field.field, values: [...values] };
  if (values.length === 0) return filters.filter((other) => !isOf(other, field));
  if (!filters.some((other) => isOf(other, field))) return [...filters, filter];
  return filters.map((other) => (isOf(other, field) ? filter : other));
}

/** One active filter value, to be shown and taken out. */
export interface Chip {
  readonly source: FieldFilter["source"];
  readonly field: string;
  readonly value: Value;
}

export function chipsOf(filters: Filters): Chip[] {
  return filters.flatMap(({ source, field, values }) => values.map((value) => ({ source, field, value })));
}

/** The values to show of a field. */
export interface VisibleValues {
  readonly values: readonly FacetValue[];
  readonly hidden: number;
}

/** Values that contain what was typed; chosen ones always, also when no slide is left with them. */
export function visibleValues(field: FacetField, chosen: readonly Value[], typed: string, most: number): VisibleValues {
  const available = new Set(field.values.map(({ value }) => value));
  const gone = chosen.map(String).filter((value) => !available.has(value));
  const all = [...gone.map((value) => ({ value, count: 0 })), ...field.values];
  const needle = typed.trim().toLocaleLowerCase();
  const fitting = needle ? all.filter(({ value }) => value.toLocaleLowerCase().includes(needle)) : all;
  const isChosen = ({ value }: FacetValue) => chosen.map(String).includes(value);
  const values = fitting.filter((value, at) => at < most || isChosen(value));
  return { values, hidden: fitting.length - values.length };
}

// The usual groups. Other columns with a value for nearly every slide are identifiers, and no groups to choose from.
const FIRST = ["diagnosis", "organ", "site", "stain", "grade"];

/** Fields worth a list of values, the usual ones first; a field with one value for all slides narrows nothing. */
export function orderFields(fields: readonly FacetField[], slides: number, filters: Filters): FacetField[] {
  const place = ({ field }: FacetField) => (FIRST.indexOf(field) + FIRST.length + 1) % (FIRST.length + 1);
  const narrows = (field: FacetField) =>
    selectedValues(filters, field).length > 0 ||
    (field.values.length > 0 && !isIdentifier(field, slides) && field.values.some(({ count }) => count < slides));
  return fields
    .filter(narrows)
    .map((field, at) => ({ field, at }))
    .sort((a, b) => place(a.field) - place(b.field) || a.at - b.at)
    .map(({ field }) => field);
}

/** The same fields with the values that they have now, none where no slide is left with any. */
export function fieldsNow(fields: readonly FacetField[], available: readonly FacetField[]): FacetField[] {
  return fields.map(
    (field) =>
      available.find(({ source, field: name }) => source === field.source && name === field.field) ?? {
        ...field,
        values: [],
        more: 0,
      },
  );
}

/** Whether nearly every slide has a value of its own, as with ids and dates. */
function isIdentifier(field: FacetField, slides: number): boolean {
  const distinct = field.values.length + field.more;
  return field.source === "metadata" && !FIRST.includes(field.field) && distinct > 20 && distinct > slides / 3;
}
