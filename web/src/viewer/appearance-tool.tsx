import type { JSX } from "preact";
import { useEffect, useId } from "preact/hooks";
import { route, show } from "../state/navigation";
import { strings } from "../strings";
import { Button } from "../ui/button";
import {
  type Appearance,
  AS_SCANNED,
  densityTable,
  lightTable,
  RANGES,
  readAppearance,
  STAINS,
  stainMatrix,
  writeAppearance,
} from "./appearance";
import type { SlideHandle } from "./handle";
import { ToolPanel } from "./tool-panel";

const texts = strings.annotations;

/** How all slides of the view are shown, as the address says. */
export function shownAppearance(): Appearance {
  return readAppearance(route.value.shown.look);
}

export function AppearanceTool(): JSX.Element {
  const appearance = shownAppearance();
  const change = (part: Partial<Appearance>): void => show("look", writeAppearance({ ...appearance, ...part }));
  const stains = [null, ...STAINS] as const;
  return (
    <ToolPanel icon="sliders" label={texts.appearance} pressed={writeAppearance(appearance) !== null}>
      <fieldset class="viewer-tool-group" aria-label={texts.stain}>
        {stains.map((stain) => (
          <Button key={stain} kind="quiet" pressed={appearance.stain === stain} onClick={() => change({ stain })}>
            {texts.stains[stain ?? "both"]}
          </Button>
        ))}
      </fieldset>
      {(["brightness", "contrast", "gamma"] as const).map((name) => (
        <label key={name} class="viewer-slider">
          {texts[name]}
          <input
            type="range"
            min={RANGES[name].least * 100}
            max={RANGES[name].most * 100}
            value={Math.round(appearance[name] * 100)}
            onInput={(event) => change({ [name]: Number(event.currentTarget.value) / 100 })}
          />
        </label>
      ))}
      <Button kind="quiet" disabled={writeAppearance(appearance) === null} onClick={() => show("look", null)}>
        {texts.asScanned}
      </Button>
    </ToolPanel>
  );
}

/** Has a slide shown so: a filter of the browser, which follows the sliders at once. */
export function AppearanceFilter({ slide }: { slide: SlideHandle }): JSX.Element | null {
  const id = `look${useId().replace(/\W/g, "")}`;
  const appearance = shownAppearance();
  const isPlain = writeAppearance(appearance) === null;
  const isShown = slide.view.value !== null;
  useEffect(() => {
    const canvas = slide.canvas();
    if (!canvas || isPlain || !isShown) return undefined;
    canvas.style.filter = `url(#${id})`;
    return () => {
      canvas.style.filter = "";
    };
  }, [slide, isPlain, isShown, id]);
  if (isPlain) return null;
  return (
    <svg class="visually-hidden" aria-hidden="true">
      <filter id={id} color-interpolation-filters="sRGB" x="0" y="0" width="1" height="1">
        <Primitives {...appearance} />
      </filter>
    </svg>
  );
}

function Primitives({ brightness, contrast, gamma, stain }: Appearance): JSX.Element {
  return (
    <>
      {stain && (
        <>
          <Transfer type="table" tableValues={densityTable()} />
          <feColorMatrix type="matrix" values={stainMatrix(stain)} />
          <Transfer type="table" tableValues={lightTable()} />
        </>
      )}
      {gamma !== AS_SCANNED.gamma && <Transfer type="gamma" exponent={1 / gamma} />}
      <Transfer type="linear" slope={contrast} intercept={0.5 - 0.5 * contrast + brightness} />
    </>
  );
}

function Transfer(props: JSX.IntrinsicElements["feFuncR"]): JSX.Element {
  return (
    <feComponentTransfer>
      <feFuncR {...props} />
      <feFuncG {...props} />
      <feFuncB {...props} />
    </feComponentTransfer>
  );
}
