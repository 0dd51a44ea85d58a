import type { JSX } from "preact";
import type { QueryEcho } from "../api/types";
import { strings } from "../strings";

const texts = strings.compare;

/** The words asked with. */
export function QueryWords({ query }: { query: QueryEcho }): JSX.Element | null {
  if (!query.text && !query.without) return null;
  return (
    <div class="compare-query-words">
      <h2>{query.kind === "report" ? texts.queryReport : texts.queryText}</h2>
      {query.text && <blockquote>{query.text}</blockquote>}
      {query.without && (
        <p>
          <b>{texts.without}</b> {query.without}
        </p>
      )}
    </div>
  );
}
