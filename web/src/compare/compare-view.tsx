import type { JSX } from "preact";
import { strings } from "../strings";

export function CompareView(): JSX.Element {
  return (
    <div class="view-page">
      <h1>{strings.app.views.compare}</h1>
    </div>
  );
}
