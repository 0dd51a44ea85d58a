import type { JSX } from "preact";
import { archiveName } from "../state/archives";
import { openedSession } from "../state/session";
import { strings } from "../strings";

/** On paper: of which archive, when, and what it must not be used for. */
export function PrintHead(): JSX.Element {
  return (
    <div class="print-only">
      <p>{strings.app.printed(archiveName.value, new Date().toLocaleString())}</p>
      <p>{openedSession()?.disclaimer}</p>
    </div>
  );
}
