import type { Bound, FacetField, FacetValue, FieldFilter, Value } from "../api/types";

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

/** The filters with other values for a field; none: the field narrows no more by values. Filters keep their order. */
export function withValues(filters: Filters, field: Named, values: readonly Value[]): FieldFilter[] {
  const { minimum, maximum } = rangeOf(filters, field);
  return withFilter(filters, { source: field.source, field: field.field, values: [...values], minimum, maximum });
}

/** What a field's values are to lie between, both inclusive; null: no bound. */
export interface Range {
  readonly minimum: Bound;
  readonly maximum: Bound;
}

/** The range that a field is narrowed to. */
export function rangeOf(filters: Filters, field: Named): Range {
  const filter = filters.find((other) => isOf(other, field));
  return { minimum: filter?.minimum ?? null, maximum: filter?.maximum ?? null };
}

/** The filters with another range for a field; what bounds are the wrong way round is turned. */
export function withRange(filters: Filters, field: Named, { minimum, maximum }: Range): FieldFilter[] {
  const turned = minimum !== null && maximum !== null && minimum > maximum;
  const range = turned ? { minimum: maximum, maximum: minimum } : { minimum, maximum };
  const values = [...selectedValues(filters, field)];
  return withFilter(filters, { source: field.source, field: field.field, values, ...range });
}

/** The filters with one in place of that of its field; filters that narrow nothing are left out. */
function withFilter(filters: Filters, { minimum = null, maximum = null, ...rest }: FieldFilter): FieldFilter[] {
  const bounds = { ...(minimum === null ? {} : { minimum }), ...(maximum === null ? {} : { maximum }) };
  const filter: FieldFilter = { ...rest, ...bounds };
  if (!filter.values.length && minimum === null && maximum === null) return filters.filter((o) => !isOf(o, filter));
  if (!filters.some((other) => isOf(other, filter))) return [...filters, filter];
  return filters.map((other) => (isOf(other, filter) ? filter : other));
}

/** Whether a field is narrowed at all. */
export function isNarrowed(filters: Filters, field: Named): boolean {
  return filters.some((filter) => isOf(filter, field));
}

/** One active filter value, or a range, to be shown and taken out. */
export interface Chip {
  readonly source: FieldFilter["source"];
  readonly field: string;
  readonly value: Value | Range;
}

export function chipsOf(filters: Filters): Chip[] {
  return filters.flatMap(({ source, field, values, minimum = null, maximum = null }) => [
    ...(minimum === null && maximum === null ? [] : [{ source, field, value: { minimum, maximum } }]),
    ...values.map((value) => ({ source, field, value })),
  ]);
}

/** The chips of filters, without those of others. */
export function chipsBesides(filters: Filters, others: Filters): Chip[] {
  const shown = new Set(chipsOf(others).map((chip) => JSON.stringify(chip)));
  return chipsOf(filters).filter((chip) => !shown.has(JSON.stringify(chip)));
}

/** The filters without what a chip stands for. */
export function withoutChip(filters: Filters, chip: Chip): FieldFilter[] {
  if (isRange(chip.value)) return withRange(filters, chip, { minimum: null, maximum: null });
  return withToggled(filters, chip, chip.value);
}

export function isRange(value: Value | Range): value is Range {
  return typeof value === "object" && value !== null;
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
    isNarrowed(filters, field) ||
    field.bins.length > 1 ||
    (field.bins.length === 1 && field.bins[0]?.minimum !== field.bins[0]?.maximum) ||
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
