/** Frames around regions of a slide. */

import { contains, type Point, type Rect } from "./view";

export interface Frame {
  readonly id: string;
  /** In level-0 px. */
  readonly rect: Rect;
  /** As "#rrggbb". */
  readonly colour: string;
  /** A number or letter, written at the frame's corner. */
  readonly label: string;
  /** What it frames, for tips and screen readers. */
  readonly name: string;
  /** Matches have solid borders, regions near a text dashed ones, drawn regions dotted ones. */
  readonly kind: "match" | "text" | "drawn";
}

/** The smallest frame around a point of the slide, so that those within others can be reached. */
export function frameAt(frames: readonly Frame[], point: Point): Frame | null {
  const around = frames.filter((frame) => contains(frame.rect, point));
  const area = ({ rect }: Frame) => rect.width * rect.height;
  return around.sort((a, b) => area(a) - area(b))[0] ?? null;
}

/** Black or white, whatever is read better on a colour given as "#rrggbb". */
export function inkOn(colour: string): "#000000" | "#ffffff" {
  const light = luminance(colour) + 0.05;
  return light / 0.05 > 1.05 / light ? "#000000" : "#ffffff";
}

/** Relative luminance as WCAG 2.2 defines it. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
