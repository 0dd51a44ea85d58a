/** Places on a slide and on the screen. Slide: level-0 px; screen: CSS px from the stage's top-left corner. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rect extends Point, Size {}

/** How a slide is turned: clockwise by degrees, then, if flipped, left and right of the screen are exchanged. */
export interface Turn {
  readonly degrees: number;
  readonly flipped: boolean;
}

export const UPRIGHT: Turn = Object.freeze({ degrees: 0, flipped: false });

/** What a stage shows: the slide's point in its middle, level-0 px in one screen px, its turn, its size on the screen. */
export interface View {
  readonly centre: Point;
  readonly scale: number;
  readonly turn: Turn;
  readonly stage: Size;
}

export function toScreen(view: View, point: Point): Point {
  const { x, y } = turned(view.turn, { x: point.x - view.centre.x, y: point.y - view.centre.y });
  return { x: x / view.scale + view.stage.width / 2, y: y / view.scale + view.stage.height / 2 };
}

export function toSlide(view: View, point: Point): Point {
  const { x, y } = stepOnSlide(view, { x: point.x - view.stage.width / 2, y: point.y - view.stage.height / 2 });
  return { x: x + view.centre.x, y: y + view.centre.y };
}

/** A way across the screen in CSS px as one across the slide in level-0 px. */
export function stepOnSlide({ scale, turn }: Pick<View, "scale" | "turn">, step: Point): Point {
  const { x, y } = turnedBack(turn, step);
  return { x: x * scale, y: y * scale };
}

/** A direction of the slide as it is seen. */
export function turned({ degrees, flipped }: Turn, { x, y }: Point): Point {
  const [cos, sin] = cosSin(degrees);
  const right = x * cos - y * sin;
  return { x: flipped ? -right : right, y: x * sin + y * cos };
}

/** The direction of the slide that is seen as this one. */
export function turnedBack({ degrees, flipped }: Turn, { x, y }: Point): Point {
  const [cos, sin] = cosSin(degrees);
  const right = flipped ? -x : x;
  return { x: right * cos + y * sin, y: y * cos - right * sin };
}

/** Exact at right angles, where frames should lie on whole px. */
function cosSin(degrees: number): [cos: number, sin: number] {
  const quarter = (((degrees / 90) % 4) + 4) % 4;
  if (Number.isInteger(quarter)) return [[1, 0, -1, 0][quarter] ?? 1, [0, 1, 0, -1][quarter] ?? 0];
  const angle = (degrees * Math.PI) / 180;
  return [Math.cos(angle), Math.sin(angle)];
}

/** The upright rectangle on the screen around a rectangle of the slide. */
export function boundsOnScreen(view: View, rect: Rect): Rect {
  return boundsOf(cornersOf(rect).map((corner) => toScreen(view, corner)));
}

export function cornersOf({ x, y, width, height }: Rect): readonly Point[] {
  const [right, bottom] = [x + width, y + height];
  return [
    { x, y },
    { x: right, y },
    { x: right, y: bottom },
    { x, y: bottom },
  ];
}

export function boundsOf(points: readonly Point[]): Rect {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

/** Where a box of HTML goes that lies over a rectangle of the slide, turned as it is about its top-left corner. */
export interface PlacedBox {
  readonly transform: string;
  readonly width: string;
  readonly height: string;
}

export function placeBox(view: View, rect: Rect): PlacedBox {
  const { x, y } = toScreen(view, rect);
  const { degrees, flipped } = view.turn;
  const turn = `${flipped ? " scaleX(-1)" : ""}${degrees ? ` rotate(${degrees}deg)` : ""}`;
  const [width, height] = [rect.width / view.scale, rect.height / view.scale].map(inPx) as [string, string];
  return { transform: `translate(${inPx(x)}, ${inPx(y)})${turn}`, width, height };
}

export function inPx(length: number): string {
  return `${length.toFixed(1)}px`;
}

export function isVisible(stage: Size, onScreen: Rect): boolean {
  const { x, y, width, height } = onScreen;
  return x < stage.width && y < stage.height && x + width > 0 && y + height > 0;
}

export function contains(rect: Rect, point: Point): boolean {
  const across = point.x - rect.x;
  const down = point.y - rect.y;
  return across >= 0 && down >= 0 && across < rect.width && down < rect.height;
}

export function centreOf(rect: Rect): Point {
  return { x: rect.x + rect.width / 2, y: rect.y + rect.height / 2 };
}

/** The view in which a rectangle of the slide takes `share` of the stage's tighter side. */
export function fitView(stage: Size, rect: Rect, share: number, turn: Turn = UPRIGHT): View {
  const seen = boundsOf(cornersOf(rect).map((corner) => turned(turn, corner)));
  const scale = Math.max(seen.width / stage.width, seen.height / stage.height) / share;
  return { centre: centreOf(rect), scale, turn, stage };
}

/** The part of the slide that is seen, as an upright rectangle of it around what may be turned. */
export function seenPart(view: View): Rect {
  return boundsOf(cornersOf({ x: 0, y: 0, ...view.stage }).map((corner) => toSlide(view, corner)));
}

/** Whether a view shows something of a slide: a px of the screen or more of it, and a px of its own or more. */
export function showsSlide(view: View, slide: Size): boolean {
  const seen = seenPart(view);
  const right = Math.min(slide.width, seen.x + seen.width) - Math.max(0, seen.x);
  const down = Math.min(slide.height, seen.y + seen.height) - Math.max(0, seen.y);
  return Math.min(right, down) >= Math.max(1, view.scale);
}

/** Whether a view shows the whole slide, as large as it can be; but for rounding. */
export function isHome(view: View, slide: Size): boolean {
  const home = fitView(view.stage, { x: 0, y: 0, ...slide }, 1, view.turn);
  const most = 0.01 * home.scale * Math.min(view.stage.width, view.stage.height);
  return (
    Math.abs(view.scale / home.scale - 1) < 0.01 &&
    Math.abs(view.centre.x - home.centre.x) < most &&
    Math.abs(view.centre.y - home.centre.y) < most
  );
}
