import type { ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { strings } from "../strings";
import { type HeatKind, type HeatMap, type HeatTile, heatRange, heatStops, heatTiles } from "./heat";
import { boundsOnScreen, isVisible, type View } from "./view";

/** Tiles are at least as large on the screen: else those of large slides could not be seen. */
const LEAST_PX = 4;

export interface Heat {
  readonly kind: HeatKind;
  readonly map: HeatMap;
}

/** A map of weights over the slide. */
export function HeatLayer(props: { view: ReadonlySignal<View | null>; heat: Heat; opacity: number }): JSX.Element {
  const { view, heat, opacity } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const tiles = useMemo(() => heatTiles(heat.map, heat.kind), [heat]);
  useEffect(() => view.subscribe((now) => canvas.current && paint(canvas.current, now, tiles)), [view, tiles]);
  return <canvas ref={canvas} class="viewer-heat" style={{ opacity }} />;
}

function paint(canvas: HTMLCanvasElement, view: View | null, tiles: readonly HeatTile[]): void {
  const density = devicePixelRatio;
  const width = Math.round((view?.stage.width ?? 0) * density);
  const height = Math.round((view?.stage.height ?? 0) * density);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext("2d");
  if (!view || !pen) return;
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.clearRect(0, 0, view.stage.width, view.stage.height);
  for (const { rect, colour } of tiles) {
    const box = boundsOnScreen(view, rect);
    if (!isVisible(view.stage, box)) continue;
    pen.fillStyle = colour;
    pen.fillRect(box.x, box.y, Math.max(LEAST_PX, box.width), Math.max(LEAST_PX, box.height));
  }
}

/** What the colours stand for. */
export function HeatLegend({ heat }: { heat: Heat }): JSX.Element {
  const text = strings.viewer.heat;
  const range = heatRange(heat.map, heat.kind);
  if (!range) return <p class="viewer-heat-legend">{text.nothing[heat.kind]}</p>;
  const background = `linear-gradient(to right, ${heatStops(heat.kind).join(", ")})`;
  return (
    <figure class="viewer-heat-legend">
      <figcaption>{text.captions[heat.kind]}</figcaption>
      <div class="viewer-heat-scale" style={{ background }} aria-hidden="true" />
      <div class="viewer-heat-ends">
        <span>{text.value(range.low)}</span>
        {heat.kind === "contribution" && <span>0</span>}
        <span>{text.value(range.high)}</span>
      </div>
    </figure>
  );
}
