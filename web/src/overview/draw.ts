/** Points of a map on a canvas. */

import { type Group, groupColour, type Shape } from "./groups";
import { spotAt } from "./hit-test";
import { type Spot, type Spots, toScreen, type Window } from "./plane";

export interface Scene {
  readonly spots: Spots;
  readonly stamps: readonly Stamp[];
  readonly chosen: ReadonlySet<number>;
  /** On the screen. */
  readonly lasso: readonly Spot[];
  readonly isDark: boolean;
}

/** The look of a group, painted once to be copied to its places. */
export interface Stamp {
  readonly group: Group;
  readonly mark: HTMLCanvasElement;
  /** Its edge on the screen. */
  readonly px: number;
}

const LEGEND_PX = 11;
const FAINT = 0.3;

/** The looks of groups; the more slides there are the smaller they are. */
export function stampsOf(groups: readonly Group[], isDark: boolean): readonly Stamp[] {
  const count = groups.reduce((sum, group) => sum + group.places.length, 0);
  const px = count < 300 ? 11 : count < 1500 ? 9 : 6;
  return groups.map((group) => stampOf(group, px, isDark));
}

/** Draw all that is seen; slides that are not chosen are faint as soon as some are. */
export function drawMap(canvas: HTMLCanvasElement, window: Window, scene: Scene): void {
  const { spots, stamps, chosen } = scene;
  const pen = clean(canvas, window);
  if (!pen) return;
  const put = (isWanted: (place: number) => boolean): void => {
    for (const { group, mark, px } of stamps) {
      for (const place of group.places) {
        if (!isWanted(place)) continue;
        const { x, y } = toScreen(window, spotAt(spots, place));
        if (x < -px || y < -px || x > window.width + px || y > window.height + px) continue;
        pen.drawImage(mark, x - px / 2, y - px / 2, px, px);
      }
    }
  };
  pen.globalAlpha = chosen.size ? FAINT : 1;
  put((place) => !chosen.has(place));
  pen.globalAlpha = 1;
  if (chosen.size) put((place) => chosen.has(place));
  drawLasso(pen, scene);
}

function clean(canvas: HTMLCanvasElement, { width, height }: Window): CanvasRenderingContext2D | null {
  const density = devicePixelRatio;
  const [across, down] = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  const pen = canvas.getContext("2d");
  pen?.setTransform(density, 0, 0, density, 0, 0);
  pen?.clearRect(0, 0, width, height);
  return pen;
}

/** Draw one mark alone, for a legend. */
export function drawMark(canvas: HTMLCanvasElement, group: Group, isDark: boolean): void {
  const { mark } = stampOf(group, LEGEND_PX, isDark);
  canvas.width = mark.width;
  canvas.height = mark.height;
  canvas.getContext("2d")?.drawImage(mark, 0, 0);
}

function stampOf(group: Group, edge: number, isDark: boolean): Stamp {
  const mark = document.createElement("canvas");
  const px = edge + 4;
  mark.width = mark.height = Math.ceil(px * devicePixelRatio);
  const pen = mark.getContext("2d");
  if (!pen) return { group, mark, px };
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.translate(px / 2, px / 2);
  pen.lineJoin = "round";
  const outline = shapePath(group.shape, edge / 2);
  const isHollow = group.shape === "ring" || group.shape === "cross";
  pen.fillStyle = groupColour(group, isDark);
  if (!isHollow) pen.fill(outline);
  // A fine edge in the colour of the ground keeps neighbours apart.
  pen.strokeStyle = isHollow ? pen.fillStyle : isDark ? "#242424" : "#ffffff";
  pen.lineWidth = isHollow ? 2 : 0.8;
  pen.stroke(outline);
  return { group, mark, px };
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
