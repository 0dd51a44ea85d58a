import type { JSX } from "preact";
import { strings } from "../strings";

/** A patient or a case: all its slides as a tray, and its reports. */
export function CaseView(): JSX.Element {
  return (
    <div class="view-page">
      <h1>{strings.app.views.case}</h1>
    </div>
  );
}
