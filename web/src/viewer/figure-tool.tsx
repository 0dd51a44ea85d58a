import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { figures, type Picture } from "../api/endpoints";
import { downloadFrom } from "../export/download";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Checkbox } from "../ui/field";
import { shownAppearance } from "./appearance-tool";
import type { SlideHandle } from "./handle";
import { ToolPanel } from "./tool-panel";
import type { View } from "./view";

const texts = strings.annotations;
const WIDTHS = [1000, 2000, 4000] as const;

/** Saves what is seen as a picture that the server draws, with as many px as are wanted. */
export function FigureTool({ of, slide }: { of: Picture; slide: SlideHandle }): JSX.Element {
  const hasScale = slide.source.umPerPx !== null;
  const [px, setPx] = useState<number>(2000);
  const [scaleBar, setScaleBar] = useState(hasScale);
  const [caption, setCaption] = useState(true);
  const [annotations, setAnnotations] = useState(true);
  const save = (): void => {
    const view = slide.view.peek();
    const options = { px, scale_bar: scaleBar && hasScale, caption, annotations, ...shownAppearance() };
    if (view) downloadFrom(figures.url(of, { ...placeOf(view), ...options }));
  };
  return (
    <ToolPanel icon="camera" label={texts.figure} pressed={false}>
      {hasScale && <Checkbox label={texts.scaleBar} checked={scaleBar} onChange={setScaleBar} />}
      <Checkbox label={texts.caption} checked={caption} onChange={setCaption} />
      <Checkbox label={texts.withAnnotations} checked={annotations} onChange={setAnnotations} />
      <label class="viewer-slider">
        {texts.figureWidth}
        <select value={px} onChange={(event) => setPx(Number(event.currentTarget.value))}>
          {WIDTHS.map((width) => (
            <option key={width} value={width}>
              {texts.widthPx(width)}
            </option>
          ))}
        </select>
      </label>
      <Button kind="primary" icon="download" onClick={save}>
        {texts.saveFigure}
      </Button>
    </ToolPanel>
  );
}

/** The view as the server has it: a rectangle in level-0 px, about whose centre the slide is turned. */
export function placeOf({ centre, scale, turn, stage }: View) {
  const [width, height] = [stage.width * scale, stage.height * scale];
  const corner = { x: centre.x - width / 2, y: centre.y - height / 2 };
  return { ...corner, width, height, rotation: turn.degrees, flip: turn.flipped };
}
