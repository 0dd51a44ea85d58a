/** Questions in words. */
import type { FieldFilter, QueryEcho } from "../api/types";
import { strings } from "../strings";

/** What was asked, on one line. */
export function describedQuery(query: QueryEcho): string {
  const { asked } = strings;
  const image = query.slides.length
    ? asked.image(
        query.kind,
        query.slides.map((slide) => slide.name),
      )
    : null;
  const words = query.text ? asked.words(query.text) : null;
  const without = query.without ? asked.without(query.without) : null;
  return [image, words, without].filter(Boolean).join(" ") || asked.kind(query.kind);
}

/** What filters leave, on one line; "" without filters. */
export function describedFilters(filters: readonly FieldFilter[]): string {
  const { filter, noValue } = strings.asked;
  return filters
    .map(({ field, values }) =>
      filter(
        field,
        values.map((value) => String(value ?? noValue)),
      ),
    )
    .join("; ");
}
