import type { JSX } from "preact";
import { strings } from "../strings";

const LINES = ["a", "b", "c", "d", "e", "f"];

/** The shape of results that are on their way. */
export function Skeleton(): JSX.Element {
  return (
    <div role="status" class="results-skeleton">
      <span class="visually-hidden">{strings.results.searching}</span>
      {LINES.map((line) => (
        <div key={line} class="results-ghost" aria-hidden="true">
          <span />
          <div>
            <span />
            <span />
            <span />
          </div>
        </div>
      ))}
    </div>
  );
}
