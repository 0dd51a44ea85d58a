/** Questions in words. */
import type { FieldFilter, Query, QueryEcho } from "../api/types";
import { strings } from "../strings";

/** What was texts, on one line. */
export function describeQuery(query: QueryEcho): string {
  const texts = strings.queries;
  const image = query.slides.length
    ? texts.image(
        query.kind,
        query.slides.map((slide) => slide.name),
      )
    : null;
  const words = query.text ? texts.words(query.text) : null;
  const without = query.without ? texts.without(query.without) : null;
  return [image, words, without].filter(Boolean).join(" ") || texts.kind(query.kind);
}

const BEGINNING = 80;

/** As `describeQuery`, with what only this tab knows: whose report it is, or its beginning, and the case. */
export function describeQuestion(query: Query | null, echo: QueryEcho): string {
  const texts = strings.queries;
  if (query?.kind === "case" && query.case_id) return texts.case(query.case_id);
  if (query?.kind !== "report") return describeQuery(echo);
  const text = query.text?.slice(0, BEGINNING).replace(/\s+/g, " ").trim();
  return text ? texts.pasted(text) : texts.reportOf(query.slide_id ?? "");
}

/** What filters leave, on one line; "" without filters. */
export function describeFilters(filters: readonly FieldFilter[]): string {
  const { filter, noValue, range } = strings.queries;
  return filters
    .map(({ field, values, minimum = null, maximum = null }) =>
      filter(field, [
        ...(minimum === null && maximum === null ? [] : [range(minimum, maximum)]),
        ...values.map((value) => String(value ?? noValue)),
      ]),
    )
    .join("; ");
}
