/** A slide that can be moved and zoomed on the screen: all that is asked of OpenSeadragon. */

import { type ReadonlySignal, signal } from "@preact/signals";
import OpenSeadragon from "openseadragon";
import type { Movable, Place } from "./lock";
import { umPerScreenPx } from "./magnification";
import { firstLevel, type SlideSource } from "./source";
import { fitView, isHome, type Point, type Rect, type Size, toSlide, type View } from "./view";

/** How much of the stage a region takes that was flown to. */
const FLY_SHARE = 0.5;

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

export class Stage implements Movable {
  private readonly viewer: OpenSeadragon.Viewer;
  private readonly currentView = signal<View | null>(null);
  private readonly failed = signal(false);
  private readonly complete = signal<string | null>(null);
  private source: SlideSource | null = null;

  constructor(element: HTMLElement, onClick: (place: Point) => void) {
    forgoOwnStyles();
    keepQuiet();
    this.viewer = OpenSeadragon({ ...OPTIONS, element });
    this.viewer.addHandler("open", () => this.opened());
    this.viewer.addHandler("viewport-change", () => this.moved());
    this.viewer.addHandler("tile-load-failed", ({ maxReached }) => {
      if (maxReached) this.failed.value = true;
    });
    this.viewer.addHandler("canvas-click", (event) => {
      const view = this.currentView.peek();
      if (event.quick && view) onClick(toSlide(view, event.position));
    });
  }

  /** What is shown, as last drawn; null while nothing is open. */
  get view(): ReadonlySignal<View | null> {
    return this.currentView;
  }

  /** Whether a part of the slide could not be loaded. */
  get hasFailed(): ReadonlySignal<boolean> {
    return this.failed;
  }

  /** The key of the source all of whose tiles in view are there; null while some are on their way. */
  get completeSource(): ReadonlySignal<string | null> {
    return this.complete;
  }

  /** Show another slide, or none, in the same viewer. */
  open(source: SlideSource | null): void {
    if (source?.key === this.source?.key) return;
    this.source = source;
    this.currentView.value = null;
    this.failed.value = false;
    this.complete.value = null;
    if (!source) {
      this.viewer.close();
      return;
    }
    const { image } = source;
    const tileSource = {
      width: image.width,
      height: image.height,
      tileSize: image.tile_size_px,
      tileOverlap: image.overlap_px,
      minLevel: firstLevel(image),
      maxLevel: image.max_level,
      getTileUrl: source.tileUrl,
    };
    this.viewer.open({ tileSource });
  }

  zoomBy(factor: number): void {
    this.viewer.viewport?.zoomBy(factor, undefined, isCalm()).applyConstraints(isCalm());
  }

  /** Show one px of the screen as so many um of tissue. */
  zoomTo(umPerPx: number): void {
    const { source } = this;
    if (source?.umPerPx) this.viewer.viewport?.zoomTo(this.zoomOf(umPerPx / source.umPerPx), undefined, isCalm());
  }

  /** Move by shares of the stage's width and height: to the right and down. */
  panBy(right: number, down: number): void {
    const bounds = this.viewer.viewport?.getBounds();
    if (!bounds) return;
    const step = new OpenSeadragon.Point(right * bounds.width, down * bounds.height);
    this.viewer.viewport.panBy(step, isCalm()).applyConstraints(isCalm());
  }

  /** Have a point of the slide in the middle. */
  centreOn(point: Point): void {
    const width = this.source?.image.width;
    if (width) this.viewer.viewport?.panTo(new OpenSeadragon.Point(point.x / width, point.y / width), true);
  }

  home(): void {
    this.viewer.viewport?.goHome(isCalm());
  }

  /** atOnce: without showing the way there. */
  flyTo(rect: Rect, atOnce = isCalm()): void {
    const { source } = this;
    const view = this.currentView.peek();
    if (!source || !view) return;
    const { centre, scale, stage } = fitView(view.stage, rect, FLY_SHARE);
    const [width, height] = [stage.width * scale, stage.height * scale];
    const bounds = [centre.x - width / 2, centre.y - height / 2, width, height].map((px) => px / source.image.width);
    this.viewer.viewport.fitBounds(new OpenSeadragon.Rect(...bounds), atOnce);
  }

  /** Slide without animation so far that a rectangle is within the stage. */
  reveal(rect: Rect): void {
    const view = this.currentView.peek();
    if (!view) return;
    const right = overhang(view.centre.x, view.stage.width * view.scale, rect.x, rect.width);
    const down = overhang(view.centre.y, view.stage.height * view.scale, rect.y, rect.height);
    if (right || down) this.panBy(right / (view.stage.width * view.scale), down / (view.stage.height * view.scale));
  }

  place(): Place | null {
    const view = this.current();
    const umPerPx = this.source?.umPerPx;
    if (!view || !umPerPx) return null;
    const centreUm = { x: view.centre.x * umPerPx, y: view.centre.y * umPerPx };
    return { centreUm, umPerPx: view.scale * umPerPx };
  }

  put(place: Place): void {
    const { source } = this;
    if (!source?.umPerPx || !this.currentView.peek()) return;
    const unit = source.umPerPx * source.image.width;
    this.viewer.viewport.zoomTo(this.zoomOf(place.umPerPx / source.umPerPx), undefined, true);
    this.viewer.viewport.panTo(new OpenSeadragon.Point(place.centreUm.x / unit, place.centreUm.y / unit), true);
  }

  onMove(listener: () => void): () => void {
    return this.currentView.subscribe(listener);
  }

  destroy(): void {
    this.viewer.destroy();
    this.currentView.value = null;
  }

  /** OpenSeadragon's zoom, stage widths that the slide's width takes, for level-0 px in one screen px. */
  private zoomOf(scale: number): number {
    return (this.source?.image.width ?? 1) / (scale * this.viewer.viewport.getContainerSize().x);
  }

  private opened(): void {
    const { viewport } = this.viewer;
    const umPerPx = this.source?.umPerPx;
    const least = umPerPx ? this.zoomOf(umPerScreenPx(1) / umPerPx) : Number.POSITIVE_INFINITY;
    Object.assign(viewport, { minZoomLevel: Math.min(viewport.getHomeZoom() / 2, least) });
    this.followTiles();
    this.moved();
  }

  private followTiles(): void {
    const key = this.source?.key ?? null;
    const image = this.viewer.world.getItemAt(0);
    const note = (isComplete: boolean): void => {
      if (this.source?.key === key) this.complete.value = isComplete ? key : null;
    };
    image.addHandler("fully-loaded-change", ({ fullyLoaded }) => note(fullyLoaded));
    note(image.getFullyLoaded());
  }

  private moved(): void {
    const before = this.currentView.peek();
    const image = this.source?.image;
    this.currentView.value = this.current();
    if (!before || !image || isSameSize(before.stage, this.currentView.value?.stage)) return;
    // Another size of the stage: a slide that was shown as a whole still is.
    if (isHome(before, image)) this.viewer.viewport.goHome(true);
  }

  /** Where the viewport is now, be it not drawn yet. */
  private current(): View | null {
    const { source } = this;
    const { viewport } = this.viewer;
    if (!source || !viewport || !this.viewer.isOpen()) return null;
    const size = viewport.getContainerSize();
    if (size.x < 1 || size.y < 1) return null;
    const centre = viewport.getCenter(true);
    const { width } = source.image;
    return {
      centre: { x: centre.x * width, y: centre.y * width },
      scale: width / (size.x * viewport.getZoom(true)),
      stage: { width: size.x, height: size.y },
    };
  }
}

function isSameSize(a: Size, b: Size | undefined): boolean {
  return a.width === b?.width && a.height === b.height;
}

/** How far the window around `centre` must go so that it holds a stretch; 0 when it does, or when it is too short. */
function overhang(centre: number, window: number, start: number, length: number): number {
  if (length > window) return 0;
  const before = start - (centre - window / 2);
  const after = start + length - (centre + window / 2);
  return before < 0 ? before : Math.max(0, after);
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

/** Whether the reader asked for less motion. */
function isCalm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
