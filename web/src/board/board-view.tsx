import type { JSX } from "preact";
import { strings } from "../strings";

/** A differential: diagnoses as columns, each with its nearest cases. */
export function BoardView(): JSX.Element {
  return (
    <div class="view-page">
      <h1>{strings.app.views.board}</h1>
    </div>
  );
}
