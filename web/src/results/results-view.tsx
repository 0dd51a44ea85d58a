import type { JSX } from "preact";
import { strings } from "../strings";

export function ResultsView(): JSX.Element {
  return (
    <div class="view-page">
      <h1>{strings.app.views.results}</h1>
    </div>
  );
}
