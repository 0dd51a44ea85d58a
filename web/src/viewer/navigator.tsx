import type { JSX } from "preact";
import { firstLevel, type SlideSource } from "./source";
import type { Stage } from "./stage";
import type { Size, View } from "./view";

/** The longer side. */
const LONGEST_PX = 100;

/** More of the slide than this share is seen: then it need not be told which part. */
const WHOLE = 0.95;

/** A small slide that shows which part is seen, to be pointed at for another part; keys do the same on the stage. */
export function Navigator({ stage, source }: { stage: Stage; source: SlideSource }): JSX.Element | null {
  const view = stage.view.value;
  const { image } = source;
  if (!view || seenShare(view, image) > WHOLE) return null;
  const shrink = LONGEST_PX / Math.max(image.width, image.height);
  const point = (event: PointerEvent): void => {
    if (event.buttons !== 1) return;
    const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    stage.centreOn({ x: (event.clientX - left) / shrink, y: (event.clientY - top) / shrink });
  };
  const [across, down] = [view.stage.width * view.scale, view.stage.height * view.scale];
  const place = `translate(${px((view.centre.x - across / 2) * shrink)}, ${px((view.centre.y - down / 2) * shrink)})`;
  return (
    <div
      class="viewer-navigator"
      style={{ width: px(image.width * shrink), height: px(image.height * shrink) }}
      onPointerDown={point}
      onPointerMove={point}
    >
      <img src={source.tileUrl(firstLevel(image), 0, 0)} alt="" draggable={false} />
      <div
        class="viewer-navigator-part"
        style={{ transform: place, width: px(across * shrink), height: px(down * shrink) }}
      />
    </div>
  );
}

function seenShare(view: View, slide: Size): number {
  const across = (view.stage.width * view.scale) / slide.width;
  const down = (view.stage.height * view.scale) / slide.height;
  return Math.min(across, down);
}

function px(length: number): string {
  return `${length.toFixed(1)}px`;
}
