/** What may be drawn over slides, as the address names it. */
import type { SlideAttention } from "../api/types";
import type { Overlay } from "../viewer/contour-layer";

export const OVERLAYS = ["off", "attention", "contribution"] as const;
export type OverlayName = (typeof OVERLAYS)[number];

export function overlayNamed(name: string | undefined): OverlayName {
  return OVERLAYS.find((one) => one === name) ?? "off";
}

/** The overlay of a slide; null for none. */
export function overlayOf(attention: SlideAttention | null, name: OverlayName): Overlay | null {
  return attention && name !== "off" ? { kind: name, map: attention[name] } : null;
}
