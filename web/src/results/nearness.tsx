/** The one figure of a result: how probable its label is to be the query's, or a word where there is none. */
import type { JSX } from "preact";
import type { Result } from "../api/types";
import { strings } from "../strings";
import { ProbabilityBar } from "../ui/bars";

const words = strings.results;

export function Nearness({
  result,
  calibratedFor,
}: {
  result: Result;
  calibratedFor: string | null;
}): JSX.Element | null {
  const { probability, closeness = null, label_unknown } = result;
  if (probability !== null && calibratedFor) {
    return (
      <span class="results-nearness" title={words.probabilityOf(calibratedFor)}>
        <ProbabilityBar value={probability} calibratedFor={calibratedFor} />
      </span>
    );
  }
  if (label_unknown && calibratedFor) return <span class="results-nearness">{words.unlabelled(calibratedFor)}</span>;
  return closeness && <span class="results-nearness unbroken">{words.closeness[closeness]}</span>;
}
