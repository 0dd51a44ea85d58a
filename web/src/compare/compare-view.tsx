import type { ComponentChildren, JSX } from "preact";
import { archiveName } from "../state/archives";
import { route } from "../state/navigation";
import { isAt } from "../state/region-key";
import { useResource } from "../state/resource";
import { explainRequestOf } from "../state/search-request";
import { searchResults, selectedResult } from "../state/search-results";
import { strings } from "../strings";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { fetchExplanation } from "./cached-requests";
import { explanationFor, mergeResults } from "./comparison";
import { useKeptSearch } from "./kept-search";
import { SingleSlide } from "./single-slide";
import { Workspace } from "./workspace";
import "./compare.css";

/** A result beside what was asked with; or a slide by itself where nothing was asked. */
export function CompareView(): JSX.Element {
  const { query, selected } = route.value;
  if (!selected) {
    return (
      <Bare>
        <Note>{strings.compare.nothing}</Note>
      </Bare>
    );
  }
  return query ? <Compared slideId={selected} /> : <SingleSlide slideId={selected} />;
}

function Compared({ slideId }: { slideId: string }): JSX.Element {
  const request = explainRequestOf(route.value);
  const { value, error, reload } = useResource(request && { archive: archiveName.value, request }, fetchExplanation);
  const answer = explanationFor(slideId, value);
  const search = useKeptSearch();
  const { error: notFound } = searchResults.state.value;
  const listed = search?.results.find((one) => isAt(one, route.value)) ?? selectedResult.value;
  const result = mergeResults(listed, answer?.result ?? null);
  const query = search?.query;
  if (!result || !query) {
    const failure = notFound ?? error;
    const retry = notFound ? searchResults.reload : reload;
    return <Bare>{failure ? <ErrorPanel error={failure} onRetry={retry} /> : <Spinner />}</Bare>;
  }
  return (
    <Workspace
      comparison={{ query, result, calibratedFor: search.calibrated_for }}
      results={search.results}
      answer={answer}
      error={error}
      onRetry={reload}
    />
  );
}

/** The view while there is nothing to compare. */
function Bare({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <div class="view-page">
      <h1>{strings.app.views.compare}</h1>
      {children}
    </div>
  );
}
