import type { JSX } from "preact";
import { slides } from "../api/endpoints";
import type { Query, QueryEcho, Report } from "../api/types";
import { archiveName } from "../state/archives";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { ErrorPanel } from "../ui/status";
import { type ArchivedSlide, withCache } from "./cached-requests";

const texts = strings.compare;

/** The words request with: a sentence, a report, or the report of a slide. */
export function QueryWords({ request, query }: { request: Query | null; query: QueryEcho }): JSX.Element | null {
  if (request?.kind === "report" && request.slide_id) return <QueryReport slideId={request.slide_id} />;
  const text = query.text ?? (request?.kind === "report" ? request.text : null);
  if (!text && !query.without) return null;
  return (
    <section class="compare-query-words">
      <h2>{query.kind === "report" ? texts.queryReport : texts.queryText}</h2>
      {text && <blockquote>{text}</blockquote>}
      {query.without && (
        <p>
          <b>{texts.without}</b> {query.without}
        </p>
      )}
    </section>
  );
}

const reportOf = withCache(
  ({ archive, slideId }: ArchivedSlide, signal): Promise<Report> => slides.report(archive, slideId, signal),
);

function QueryReport({ slideId }: { slideId: string }): JSX.Element {
  const { value, error, reload } = useResource({ archive: archiveName.value, slideId }, reportOf);
  return (
    <section class="compare-query-words">
      <h2>{texts.queryReportOf(slideId)}</h2>
      {error && <ErrorPanel error={error} onRetry={reload} />}
      {value?.slide_id === slideId && <blockquote>{value.text}</blockquote>}
    </section>
  );
}
