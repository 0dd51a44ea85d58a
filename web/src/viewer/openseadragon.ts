/** OpenSeadragon as the page has it: its options, and what it would do otherwise than the page wants. */
import OpenSeadragon from "openseadragon";
import type { Point, View } from "./view";

/** The slide can be zoomed to this many screen px for one of its own. */
const MOST_SCREEN_PX = 4;

const GESTURES = { clickToZoom: false, dblClickToZoom: true, flickEnabled: true, pinchRotate: false };

const OPTIONS: OpenSeadragon.Options = {
  // A canvas for each stage: browsers limit how many WebGL contexts a page has.
  drawer: "canvas",
  showNavigationControl: false,
  keyboardNavEnabled: false,
  tabIndex: -1,
  animationTime: 0.6,
  springStiffness: 8,
  visibilityRatio: 0.3,
  maxZoomPixelRatio: MOST_SCREEN_PX,
  gestureSettingsMouse: { ...GESTURES, flickEnabled: false },
  gestureSettingsTouch: GESTURES,
  gestureSettingsPen: GESTURES,
  imageLoaderLimit: 6,
  tileRetryMax: 2,
};

export function makeViewer(element: HTMLElement): OpenSeadragon.Viewer {
  forgoOwnStyles();
  keepQuiet();
  return OpenSeadragon({ ...OPTIONS, element });
}

/** OpenSeadragon tells the place of clicks as if a flipped slide were not flipped. */
export function clickedAt({ turn, stage }: View, { x, y }: Point): Point {
  return { x: turn.flipped ? stage.width - x : x, y };
}

/** OpenSeadragon would write a style sheet into the page, which the content security policy forbids, where none is. */
function forgoOwnStyles(): void {
  const mark = "data-openseadragon-mobile-css";
  if (document.querySelector(`style[${mark}]`)) return;
  // Of no namespace: found where the library looks for its own, but no style sheet.
  const style = document.createElementNS(null, "style");
  style.setAttribute(mark, "");
  document.head.append(style);
}

/** Tiles that come too late are no fault, though the library warns of each; what fails is told by `hasFailed`. */
function keepQuiet(): void {
  Object.assign(OpenSeadragon, { console: { ...console, warn: () => undefined } });
}
