/** What tools that lie over a slide may know of it and do with it. */
import type { ReadonlySignal } from "@preact/signals";
import type { SlideSource } from "./source";
import type { Stage } from "./stage";
import { type Point, type Rect, toScreen, toSlide, type View } from "./view";

/** A slide that is open in a viewer; gone with the viewer, another one for another slide. */
export interface SlideHandle {
  /** Its picture: size in level-0 px, um per px, its tiles. */
  readonly source: SlideSource;
  /**
   * What is shown, null while nothing is. Components that read its value are drawn anew with each move; others
   * subscribe. `View` says centre, scale (level-0 px in a screen px), turn and size; `placeBox` and `boundsOnScreen`
   * of view.ts put boxes over the slide.
   */
  readonly view: ReadonlySignal<View | null>;
  /** The element that the slide is drawn in, for filters. */
  readonly element: HTMLElement;
  /** Of one screen px as it is shown now; null where the scan's size is not known. */
  umPerScreenPx(): number | null;
  /** From level-0 px to CSS px from the stage's corner, and back, as turned as the slide is; null while nothing is shown. */
  toScreen(point: Point): Point | null;
  toSlide(point: Point): Point | null;
  /** Be told of each view that is drawn, the present one at once; the answer ends it. */
  onDraw(listener: (view: View) => void): () => void;
  /** Show a rectangle of the slide in the middle. */
  flyTo(rect: Rect): void;
  /** Move no further than needed to see a rectangle. */
  reveal(rect: Rect): void;
  /** Have keys move the slide. */
  focus(): void;
  /** The picture as drawn last, in device px; null while nothing is. */
  canvas(): HTMLCanvasElement | null;
}

export function makeHandle(stage: Stage, source: SlideSource, element: HTMLElement): SlideHandle {
  const { view } = stage;
  return {
    source,
    view,
    element,
    umPerScreenPx: () => stage.place()?.umPerPx ?? null,
    toScreen: (point) => (view.peek() ? toScreen(view.peek() as View, point) : null),
    toSlide: (point) => (view.peek() ? toSlide(view.peek() as View, point) : null),
    onDraw: (listener) => view.subscribe((now) => now && listener(now)),
    flyTo: (rect) => stage.flyTo(rect),
    reveal: (rect) => stage.reveal(rect),
    focus: () => element.closest<HTMLElement>("[role=application]")?.focus(),
    canvas: () => element.querySelector("canvas"),
  };
}
