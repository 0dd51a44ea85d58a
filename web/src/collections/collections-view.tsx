import type { JSX } from "preact";
import { strings } from "../strings";

export function CollectionsView(): JSX.Element {
  return (
    <div class="view-page">
      <h1>{strings.app.views.collections}</h1>
    </div>
  );
}
