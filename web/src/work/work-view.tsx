import type { JSX } from "preact";
import { SavedSearches } from "../saved/saved-searches";
import { strings } from "../strings";

/** What runs and waits: uploads, jobs, worklists and saved searches. */
export function WorkView(): JSX.Element {
  return (
    <div class="view-page">
      <h1>{strings.app.views.work}</h1>
      <SavedSearches />
    </div>
  );
}
