/** Points of a map on a canvas. */

import { type Group, groupColour, type Shape } from "./groups";
import { spotAt } from "./picking";
import { onScreen, type Spot, type Spots, type Window } from "./plane";

export interface Scene {
  readonly spots: Spots;
  readonly groups: readonly Group[];
  readonly chosen: ReadonlySet<number>;
  /** On the screen. */
  readonly lasso: readonly Spot[];
  readonly isDark: boolean;
}

const MARK_PX = 9;
const CROWDED = 1500;
/** With many points each is smaller. */
const SMALL_PX = 6;
const FAINT = 0.3;

/** Draw everything; each look is painted once, and then copied to its places. */
export function drawMap(canvas: HTMLCanvasElement, window: Window, scene: Scene): void {
  const density = devicePixelRatio;
  canvas.width = Math.round(window.width * density);
  canvas.height = Math.round(window.height * density);
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.setTransform(density, 0, 0, density, 0, 0);
  const edge = scene.spots.x.length > CROWDED ? SMALL_PX : MARK_PX;
  const { chosen } = scene;
  const stamps = scene.groups.map((group) => [group, stamp(group, edge, scene.isDark, density)] as const);
  const put = (wanted: (place: number) => boolean): void => {
    for (const [group, mark] of stamps) {
      for (const place of group.places)
        if (wanted(place)) putMark(pen, mark, onScreen(window, spotAt(scene.spots, place)), density);
    }
  };
  pen.globalAlpha = chosen.size ? FAINT : 1;
  put((place) => !chosen.has(place));
  pen.globalAlpha = 1;
  put((place) => chosen.has(place));
  drawLasso(pen, scene);
}

/** Draw one mark alone, for a legend. */
export function drawMark(canvas: HTMLCanvasElement, group: Group, isDark: boolean): void {
  const mark = stamp(group, MARK_PX + 2, isDark, devicePixelRatio);
  canvas.width = mark.width;
  canvas.height = mark.height;
  canvas.getContext("2d")?.drawImage(mark, 0, 0);
}

function putMark(pen: CanvasRenderingContext2D, mark: HTMLCanvasElement, { x, y }: Spot, density: number): void {
  const edge = mark.width / density;
  pen.drawImage(mark, x - edge / 2, y - edge / 2, edge, edge);
}

function stamp(group: Group, edge: number, isDark: boolean, density: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  const size = edge + 4;
  canvas.width = canvas.height = Math.ceil(size * density);
  const pen = canvas.getContext("2d");
  if (!pen) return canvas;
  pen.scale(density, density);
  pen.translate(size / 2, size / 2);
  const outline = shapePath(group.shape, edge / 2);
  const colour = groupColour(group, isDark);
  pen.lineJoin = "round";
  if (group.shape === "ring" || group.shape === "cross") {
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.stroke(outline);
    return canvas;
  }
  pen.fillStyle = colour;
  pen.fill(outline);
  // A fine edge in the colour of the ground keeps neighbours apart.
  pen.strokeStyle = isDark ? "#242424" : "#ffffff";
  pen.lineWidth = 0.8;
  pen.stroke(outline);
  return canvas;
}

function shapePath(shape: Shape, radius: number): Path2D {
  const path = new Path2D();
  const polygon = (...corners: readonly (readonly [number, number])[]): Path2D => {
    for (const [x, y] of corners) path.lineTo(x * radius, y * radius);
    path.closePath();
    return path;
  };
  switch (shape) {
    case "triangle":
      return polygon([0, -1.1], [1, 0.8], [-1, 0.8]);
    case "square":
      return polygon([-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]);
    case "diamond":
      return polygon([0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]);
    case "cross":
      path.moveTo(-0.8 * radius, -0.8 * radius);
      path.lineTo(0.8 * radius, 0.8 * radius);
      path.moveTo(0.8 * radius, -0.8 * radius);
      path.lineTo(-0.8 * radius, 0.8 * radius);
      return path;
    default:
      path.arc(0, 0, (shape === "ring" ? 0.8 : 0.95) * radius, 0, 2 * Math.PI);
      return path;
  }
}

function drawLasso(pen: CanvasRenderingContext2D, { lasso, isDark }: Scene): void {
  if (lasso.length < 2) return;
  pen.beginPath();
  for (const { x, y } of lasso) pen.lineTo(x, y);
  pen.closePath();
  pen.fillStyle = isDark ? "rgb(141 191 238 / 15%)" : "rgb(11 83 148 / 10%)";
  pen.fill();
  pen.setLineDash([5, 3]);
  pen.strokeStyle = isDark ? "#8dbfee" : "#0b5394";
  pen.lineWidth = 1.5;
  pen.stroke();
  pen.setLineDash([]);
}
