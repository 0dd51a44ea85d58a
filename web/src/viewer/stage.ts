/** A slide that can be moved and zoomed on the screen: all that is asked of OpenSeadragon. */

import { type ReadonlySignal, signal } from "@preact/signals";
import OpenSeadragon from "openseadragon";
import type { Movable } from "./lock";
import { umPerScreenPx } from "./magnification";
import { clickedAt, makeViewer } from "./openseadragon";
import { normalDegrees, type Place } from "./similarity";
import { firstLevel, type SlideSource } from "./source";
import {
  boundsOnScreen,
  fitView,
  isHome,
  type Point,
  type Rect,
  type Size,
  stepOnSlide,
  type Turn,
  toSlide,
  type View,
} from "./view";

/** How much of the stage a region takes that was flown to. */
const FLY_SHARE = 0.5;

export class Stage implements Movable {
  private readonly viewer: OpenSeadragon.Viewer;
  private readonly currentView = signal<View | null>(null);
  private readonly failed = signal(false);
  private readonly complete = signal<string | null>(null);
  private source: SlideSource | null = null;

  constructor(element: HTMLElement, onClick: (place: Point) => void) {
    this.viewer = makeViewer(element);
    this.viewer.addHandler("open", () => this.opened());
    this.viewer.addHandler("viewport-change", () => this.moved());
    this.viewer.addHandler("tile-load-failed", ({ maxReached }) => {
      if (maxReached) this.failed.value = true;
    });
    // Two fingers on the slide zoom it: then none of them points at a place.
    let fingers = 0;
    element.addEventListener("pointerdown", ({ isPrimary }) => {
      fingers = isPrimary ? 1 : fingers + 1;
    });
    this.viewer.addHandler("canvas-click", (event) => {
      const view = this.currentView.peek();
      if (event.quick && fingers < 2 && view) onClick(toSlide(view, clickedAt(view, event.position)));
    });
    this.viewer.addHandler("canvas-drag", (event) => this.turnByDrag(event));
  }

  /** What is shown, as last drawn; null while nothing is open. */
  get view(): ReadonlySignal<View | null> {
    return this.currentView;
  }

  /** Of level 0; null where it is not known, and while nothing is open. */
  get umPerPx(): number | null {
    return this.source?.umPerPx ?? null;
  }

  /** The size of what is open in level-0 px. */
  get slide(): Size | null {
    return this.source?.image ?? null;
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

  /** Move by shares of the stage's width and height: to the right and down, as they are seen. */
  panBy(right: number, down: number): void {
    const view = this.currentView.peek();
    const width = this.source?.image.width;
    if (!view || !width) return;
    const step = stepOnSlide(view, { x: right * view.stage.width, y: down * view.stage.height });
    const inWidths = new OpenSeadragon.Point(step.x / width, step.y / width);
    this.viewer.viewport.panBy(inWidths, isCalm()).applyConstraints(isCalm());
  }

  /** Turn the slide about the middle of the stage, at once. */
  turnTo({ degrees, flipped }: Turn): void {
    const { viewport } = this.viewer;
    if (!viewport || !this.currentView.peek()) return;
    viewport.setFlip(flipped);
    // A flick would go the wrong way on a flipped slide.
    Object.assign(this.viewer.gestureSettingsByDeviceType("touch"), { flickEnabled: !flipped });
    viewport.setRotation(normalDegrees(degrees), true);
    this.moved();
  }

  /** Turn by degrees, clockwise as it is seen. */
  turnBy(degrees: number): void {
    const turn = this.currentView.peek()?.turn;
    if (turn) this.turnTo({ ...turn, degrees: turn.degrees + (turn.flipped ? -degrees : degrees) });
  }

  /** Exchange left and right, as they are seen. */
  flip(): void {
    const turn = this.currentView.peek()?.turn;
    if (turn) this.turnTo({ ...turn, flipped: !turn.flipped });
  }

  /** Have a point of the slide in the middle. */
  centreOn(point: Point): void {
    const width = this.source?.image.width;
    if (width) this.viewer.viewport?.panTo(new OpenSeadragon.Point(point.x / width, point.y / width), true);
  }

  /** Show the whole slide. */
  home(atOnce = isCalm()): void {
    const image = this.source?.image;
    if (image) this.fit({ x: 0, y: 0, width: image.width, height: image.height }, 1, atOnce);
  }

  /** Show a rectangle in the middle; atOnce: without showing the way there; umPerPx: the scale, by default as it fits. */
  flyTo(rect: Rect, atOnce = isCalm(), umPerPx: number | null = null): void {
    this.fit(rect, FLY_SHARE, atOnce, umPerPx);
  }

  /** The scale at which `flyTo` shows a rectangle; null where the size of a px is not known. */
  umPerPxToShow(rect: Rect): number | null {
    const view = this.currentView.peek();
    return view && this.umPerPx && fitView(view.stage, rect, FLY_SHARE, view.turn).scale * this.umPerPx;
  }

  /** Slide so far that a rectangle is within the stage. */
  reveal(rect: Rect): void {
    const view = this.currentView.peek();
    if (!view) return;
    const { width, height } = view.stage;
    const seen = boundsOnScreen(view, rect);
    const right = overhang(width, seen.x, seen.width);
    const down = overhang(height, seen.y, seen.height);
    if (right || down) this.panBy(right / width, down / height);
  }

  place(): Place | null {
    const view = this.current();
    const umPerPx = this.source?.umPerPx;
    if (!view || !umPerPx) return null;
    const centreUm = { x: view.centre.x * umPerPx, y: view.centre.y * umPerPx };
    return { centreUm, umPerPx: view.scale * umPerPx, turn: view.turn };
  }

  put(place: Place): void {
    const { source } = this;
    if (!source?.umPerPx || !this.currentView.peek()) return;
    const { x, y } = place.centreUm;
    this.show({ x: x / source.umPerPx, y: y / source.umPerPx }, place.umPerPx / source.umPerPx, place.turn);
  }

  /** Go to a point of the slide, a scale in level-0 px a screen px, and a turn, at once. */
  show(centre: Point, scale: number, turn: Turn): void {
    const width = this.source?.image.width;
    if (!width || !this.currentView.peek()) return;
    this.viewer.viewport.zoomTo(this.zoomOf(scale), undefined, true);
    this.viewer.viewport.panTo(new OpenSeadragon.Point(centre.x / width, centre.y / width), true);
    this.turnTo(turn);
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

  private fit(rect: Rect, share: number, atOnce: boolean, umPerPx: number | null = null): void {
    const { source } = this;
    const view = this.currentView.peek();
    if (!source || !view) return;
    const { centre, scale } = fitView(view.stage, rect, share, view.turn);
    const { width } = source.image;
    const wanted = umPerPx && source.umPerPx ? umPerPx / source.umPerPx : scale;
    this.viewer.viewport.zoomTo(this.zoomOf(wanted), undefined, atOnce);
    this.viewer.viewport.panTo(new OpenSeadragon.Point(centre.x / width, centre.y / width), atOnce);
  }

  /** Shift and a drag turn the slide about the middle. */
  private turnByDrag(event: OpenSeadragon.CanvasDragEvent): void {
    const view = this.currentView.peek();
    if (!event.shift || !view) return;
    event.preventDefaultAction = true;
    const middle = { x: view.stage.width / 2, y: view.stage.height / 2 };
    const angle = (x: number, y: number): number => (Math.atan2(y - middle.y, x - middle.x) * 180) / Math.PI;
    const { position, delta } = event;
    this.turnBy(angle(position.x, position.y) - angle(position.x - delta.x, position.y - delta.y));
  }

  private opened(): void {
    const { viewport } = this.viewer;
    viewport.setFlip(false);
    viewport.setRotation(0, true);
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
    if (isHome(before, image)) this.home(true);
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
      turn: { degrees: normalDegrees(viewport.getRotation(true)), flipped: viewport.getFlip() },
      stage: { width: size.x, height: size.y },
    };
  }
}

function isSameSize(a: Size, b: Size | undefined): boolean {
  return a.width === b?.width && a.height === b.height;
}

/** How far a window of a length must go so that it holds a stretch; 0 when it does, or when it is too short. */
function overhang(window: number, start: number, length: number): number {
  if (length > window) return 0;
  return start < 0 ? start : Math.max(0, start + length - window);
}

/** Whether the reader asked for less motion. */
function isCalm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
