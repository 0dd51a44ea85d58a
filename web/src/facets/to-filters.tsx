import type { JSX } from "preact";
import { strings } from "../strings";
import { Button } from "../ui/button";
import "./facets.css";

/** The way to filters that narrow screens have below the list; a link would change the address. of: the id of what holds them. */
export function ToFilters({ of }: { of: string }): JSX.Element {
  const show = (): void => {
    const filters = document.getElementById(of);
    // Their beginning: a focus that scrolls shows the middle of what is longer than the window.
    filters?.focus({ preventScroll: true });
    filters?.scrollIntoView({ block: "start" });
  };
  return (
    <Button class="facets-jump" onClick={show}>
      {strings.facets.title}
    </Button>
  );
}
