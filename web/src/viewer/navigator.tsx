import type { JSX } from "preact";
import { firstLevel, type SlideSource } from "./source";
import type { Stage } from "./stage";
import { inPx, type Size, seenPart, toSlide, type View } from "./view";

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
  return (
    <div
      class="viewer-navigator"
      style={{ width: inPx(image.width * shrink), height: inPx(image.height * shrink) }}
      onPointerDown={point}
      onPointerMove={point}
    >
      <img src={source.tileUrl(firstLevel(image), 0, 0)} alt="" draggable={false} />
      <div class="viewer-navigator-part" style={placePart(view, shrink)} />
    </div>
  );
}

/** The stage as a box on the small slide, which is never turned itself. */
function placePart(view: View, shrink: number): { transform: string; width: string; height: string } {
  const { x, y } = toSlide(view, { x: 0, y: 0 });
  const { degrees, flipped } = view.turn;
  const turn = `${degrees ? ` rotate(${-degrees}deg)` : ""}${flipped ? " scaleX(-1)" : ""}`;
  const [width, height] = [view.stage.width, view.stage.height].map((px) => inPx(px * view.scale * shrink));
  return {
    transform: `translate(${inPx(x * shrink)}, ${inPx(y * shrink)})${turn}`,
    width: width ?? "",
    height: height ?? "",
  };
}

function seenShare(view: View, slide: Size): number {
  const { width, height } = seenPart(view);
  return Math.min(width / slide.width, height / slide.height);
}
