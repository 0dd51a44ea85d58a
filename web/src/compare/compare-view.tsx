import type { ComponentChildren, JSX } from "preact";
import { archiveName } from "../state/archives";
import { found, selectedResult } from "../state/found";
import { useResource } from "../state/loading";
import { route } from "../state/navigation";
import { explainRequestOf } from "../state/request";
import { strings } from "../strings";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { explained } from "./answers";
import { answerFor, mergedResult } from "./compared";
import { SingleSlide } from "./SingleSlide";
import { Workplace } from "./Workplace";
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
  const { value, error, reload } = useResource(request && { archive: archiveName.value, request }, explained);
  const answer = answerFor(slideId, value);
  const { value: search, error: notFound } = found.state.value;
  const result = mergedResult(selectedResult.value, answer?.result ?? null);
  const query = search?.query;
  if (notFound || !result || !query) {
    const told = notFound ?? error;
    const retry = notFound ? found.reload : reload;
    return <Bare>{told ? <ErrorPanel error={told} onRetry={retry} /> : <Spinner />}</Bare>;
  }
  return (
    <Workplace
      shown={{ query, result, calibratedFor: search?.calibrated_for ?? null }}
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
