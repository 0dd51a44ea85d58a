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

/** What a stage shows: the slide's point in its middle, level-0 px in one screen px, and its size on the screen. */
export interface View {
  readonly centre: Point;
  readonly scale: number;
  readonly stage: Size;
}

export function toScreen(view: View, point: Point): Point {
  return {
    x: (point.x - view.centre.x) / view.scale + view.stage.width / 2,
    y: (point.y - view.centre.y) / view.scale + view.stage.height / 2,
  };
}

export function toSlide(view: View, point: Point): Point {
  return {
    x: (point.x - view.stage.width / 2) * view.scale + view.centre.x,
    y: (point.y - view.stage.height / 2) * view.scale + view.centre.y,
  };
}

export function rectToScreen(view: View, rect: Rect): Rect {
  return { ...toScreen(view, rect), width: rect.width / view.scale, height: rect.height / view.scale };
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

/** The view in which a rectangle takes `share` of the stage's tighter side. */
export function fitView(stage: Size, rect: Rect, share: number): View {
  const scale = Math.max(rect.width / stage.width, rect.height / stage.height) / share;
  return { centre: centreOf(rect), scale, stage };
}

/** Whether a view shows the whole slide, as large as it can be; but for rounding. */
export function isHome(view: View, slide: Size): boolean {
  const home = fitView(view.stage, { x: 0, y: 0, ...slide }, 1);
  const most = 0.01 * home.scale * Math.min(view.stage.width, view.stage.height);
  return (
    Math.abs(view.scale / home.scale - 1) < 0.01 &&
    Math.abs(view.centre.x - home.centre.x) < most &&
    Math.abs(view.centre.y - home.centre.y) < most
  );
}
