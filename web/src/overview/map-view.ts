import { signal } from "@preact/signals";
import { fitWindow, panWindow, type Spot, type Spots, toMap, type Window, zoomWindow } from "./plane";

const MARGIN_PX = 28;

export const ZOOM_STEP = 1.4;

/** What is seen of a map; null until there is a place to draw on. */
export class MapView {
  readonly window = signal<Window | null>(null);
  /** The whole map, as it was last shown. */
  private whole: Window | null = null;

  constructor(private readonly spots: Spots) {}

  /** Follow the size of the place to draw on: who sees the whole map goes on seeing it. */
  resize(width: number, height: number): void {
    const before = this.window.peek();
    if (before === this.whole) this.fit(width, height);
    else if (before) this.window.value = { ...before, width, height };
  }

  home(): void {
    const seen = this.window.peek();
    if (seen) this.fit(seen.width, seen.height);
  }

  private fit(width: number, height: number): void {
    this.whole = fitWindow(this.spots, width, height, MARGIN_PX);
    this.window.value = this.whole;
  }

  zoom(factor: number, fixed?: Spot): void {
    const { window } = this;
    if (!window.value) return;
    const { width, height } = window.value;
    window.value = zoomWindow(window.value, factor, fixed ?? { x: width / 2, y: height / 2 });
  }

  pan(right: number, down: number): void {
    if (this.window.value) this.window.value = panWindow(this.window.value, right, down);
  }

  /** Two opposite corners of what is seen, on the map. */
  corners(): readonly [Spot, Spot] | null {
    const seen = this.window.peek();
    return seen && [toMap(seen, { x: 0, y: 0 }), toMap(seen, { x: seen.width, y: seen.height })];
  }
}
