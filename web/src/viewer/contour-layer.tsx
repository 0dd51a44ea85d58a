import type { ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { strings } from "../strings";
import { type Contour, contoursOf, LEVELS, type OverlayKind, type WeightMap } from "./contours";
import { type Point, toScreen, type View } from "./view";

export interface Overlay {
  readonly kind: OverlayKind;
  readonly map: WeightMap;
}

/** On haematoxylin and eosin: green for attention; orange for what slides share, blue for what sets them apart. */
const COLOURS = {
  attention: { 1: "#00694a", [-1]: "#00694a" },
  contribution: { 1: "#a34d00", [-1]: "#1a5a9e" },
} as const satisfies Record<OverlayKind, Record<1 | -1, string>>;

/** Of lines, by their levels, in px. */
const WIDTHS = [1.5, 2.5, 4] as const;
const HALO_PX = 2;

/** Lines around the fields that weigh most; what they lie on is seen as it is. */
export function ContourLayer({ view, overlay }: { view: ReadonlySignal<View | null>; overlay: Overlay }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const contours = useMemo(() => contoursOf(overlay.map), [overlay]);
  useEffect(
    () => view.subscribe((now) => canvas.current && paint(canvas.current, now, contours, overlay.kind)),
    [view, contours],
  );
  const lines = contours.reduce((sum, { loops }) => sum + loops.length, 0);
  return <canvas ref={canvas} class="viewer-contours" data-lines={lines} />;
}

function paint(canvas: HTMLCanvasElement, view: View | null, contours: readonly Contour[], kind: OverlayKind): void {
  const density = devicePixelRatio;
  const width = Math.round((view?.stage.width ?? 0) * density);
  const height = Math.round((view?.stage.height ?? 0) * density);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext("2d");
  if (!view || !pen) return;
  pen.setTransform(density, 0, 0, density, 0, 0);
  pen.clearRect(0, 0, view.stage.width, view.stage.height);
  for (const { level, sign, loops } of contours) {
    const path = pathOf(view, loops);
    const thick = WIDTHS[LEVELS.indexOf(level)] ?? WIDTHS[0];
    for (const [colour, px] of [
      ["#ffffff", thick + HALO_PX],
      [COLOURS[kind][sign], thick],
    ] as const) {
      pen.strokeStyle = colour;
      pen.lineWidth = px;
      pen.stroke(path);
    }
  }
}

function pathOf(view: View, loops: readonly (readonly Point[])[]): Path2D {
  const path = new Path2D();
  for (const loop of loops) {
    loop.forEach((corner, place) => {
      const { x, y } = toScreen(view, corner);
      if (place) path.lineTo(x, y);
      else path.moveTo(x, y);
    });
    path.closePath();
  }
  return path;
}

/** What the lines stand for; in words where there are none. */
export function OverlayLegend({ overlay: { kind, map } }: { overlay: Overlay }): JSX.Element {
  const text = strings.viewer.overlay;
  const contours = useMemo(() => contoursOf(map), [map]);
  if (!contours.length) return <p class="viewer-legend">{text.even[kind]}</p>;
  const signs = ([1, -1] as const).filter((sign) => contours.some((one) => one.sign === sign));
  return (
    <div class="viewer-legend">
      {signs.map((sign) => (
        <p key={sign}>
          <svg width="22" height="8" aria-hidden="true">
            <line x1="1" y1="4" x2="21" y2="4" stroke={COLOURS[kind][sign]} stroke-width="3" />
          </svg>{" "}
          {kind === "attention" ? text.attention : sign > 0 ? text.shared : text.apart}
        </p>
      ))}
      <p class="viewer-legend-levels">{text.levels(LEVELS)}</p>
    </div>
  );
}
