/** The field of the query that a result matches, beside the results: of the one that has the focus, else of the first. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import type { SearchResponse } from "../api/types";
import { strings } from "../strings";
import { QueryFieldPicture } from "./field-picture";

const words = strings.results;

/** The rank of the result that has the focus, or is pointed at. */
export const attended = signal<number | null>(null);

export function QueryField({ response }: { response: SearchResponse }): JSX.Element | null {
  const { results, query } = response;
  const result = results.find(({ rank }) => rank === attended.value) ?? results[0];
  const slide = result && query.slides[result.query_slide];
  if (!result?.query_field || !slide) return null;
  return (
    <aside class="results-query" aria-label={words.queryField}>
      <QueryFieldPicture slide={slide} field={result.query_field} />
      <h2>{words.queryField}</h2>
      <p class="faint">{words.queryFieldOf(result.rank)}</p>
    </aside>
  );
}

/** Whether the query has a field to be shown beside its results. */
export function hasQueryField({ results }: SearchResponse): boolean {
  return results.some(({ query_field }) => query_field);
}
