import type { JSX } from "preact";
import { Welcome } from "../search/welcome";

/** The archive's slides where nothing is asked. */
export function BrowseView(): JSX.Element {
  return <Welcome />;
}
