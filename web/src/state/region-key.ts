/** A region of the selected slide in an address: which of several results of a slide is looked at. */
import type { Region, Result } from "../api/types";
import type { Route } from "./route";
import { withoutPlaces } from "./shown-place";

const NAME = "region";

/** As searches take it: "x,y,width,height". */
export function regionText({ x, y, width, height }: Region): string {
  return [x, y, width, height].join(",");
}

/** The region of the selected slide that a route shows; null without one, and for one of another slide. */
export function shownRegion({ shown, selected }: Pick<Route, "shown" | "selected">): Region | null {
  const [, written = "", slideId] = /^([^:]*):(.*)$/s.exec(shown[NAME] ?? "") ?? [];
  const [x = -1, y = -1, width = 0, height = 0] = written.split(",").map(Number);
  const isRegion = [x, y, width, height].every(Number.isFinite) && width > 0 && height > 0;
  return isRegion && slideId === selected ? { x, y, width, height } : null;
}

/** What of a route changes so that a slide, or a region of it, is looked at; not where it was looked at before. */
export function selectionOf(
  { shown }: Pick<Route, "shown">,
  slideId: string,
  region: Region | null,
): Pick<Route, "selected" | "shown"> {
  const { [NAME]: _, ...others } = withoutPlaces(shown);
  return { selected: slideId, shown: region ? { ...others, [NAME]: `${regionText(region)}:${slideId}` } : others };
}

/** Whether a result, of a slide or of a region of it, is what a route looks at. */
export function isAt({ slide_id, region }: Pick<Result, "slide_id" | "region">, route: Route): boolean {
  const shown = shownRegion(route);
  return slide_id === route.selected && (!shown || !region || regionText(region) === regionText(shown));
}
