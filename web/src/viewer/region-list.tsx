import type { ComponentChildren, JSX } from "preact";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import type { Frame } from "./frame";
import { extentText } from "./lengths";
import type { Rect } from "./view";

/** How drawn regions look; beside the colours of matches and of texts. */
const DRAWN_COLOUR = "#ffffff";

/** A, B, ... Z, A1, B1, ... */
export function regionLabel(place: number): string {
  const round = Math.floor(place / 26);
  return String.fromCharCode(65 + (place % 26)) + (round || "");
}

export function regionFrame(rect: Rect, place: number): Frame {
  const label = regionLabel(place);
  const name = strings.viewer.region(label);
  return { id: `drawn-${place}`, rect, colour: DRAWN_COLOUR, label, name, kind: "drawn" };
}

export interface RegionListProps {
  readonly regions: readonly Rect[];
  readonly umPerPx: number | null;
  readonly onShow: (place: number) => void;
  readonly onRemove: (place: number) => void;
  /** What can be done with them. */
  readonly children?: ComponentChildren;
}

/** The regions that were drawn, with their sizes. */
export function RegionList({ regions, umPerPx, onShow, onRemove, children }: RegionListProps): JSX.Element | null {
  if (!regions.length) return null;
  return (
    <div class="viewer-regions">
      <ul aria-label={strings.viewer.regions}>
        {regions.map((rect, place) => (
          <li key={`${rect.x} ${rect.y} ${rect.width} ${rect.height}`}>
            <Button kind="quiet" onClick={() => onShow(place)}>
              <b>{regionLabel(place)}</b> {sizeText(rect, umPerPx)}
            </Button>
            <IconButton
              icon="close"
              label={strings.viewer.removeRegion(regionLabel(place))}
              onClick={() => onRemove(place)}
            />
          </li>
        ))}
      </ul>
      {children}
    </div>
  );
}

function sizeText(rect: Rect, umPerPx: number | null): string {
  if (umPerPx === null) return strings.viewer.sizePx(rect.width, rect.height);
  return extentText(rect.width * umPerPx, rect.height * umPerPx);
}
