import type { JSX } from "preact";
import { strings } from "../strings";

export function OverviewView(): JSX.Element {
  return (
    <div class="view-page">
      <h1>{strings.app.views.overview}</h1>
    </div>
  );
}
