import type { ReadonlySignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { strings } from "../strings";
import { neighbourAt } from "../ui/arrows";
import { Button, IconButton } from "../ui/button";
import { ZOOM_STEP } from "./input";
import { isWithinScan, magnification, magnificationText, STEPS, umPerScreenPx } from "./magnification";
import type { Stage } from "./stage";
import { TurnTool } from "./turn-tool";
import type { View } from "./view";

/** A step counts as shown when it is off by less than two percent. */
const NEAR = 0.02;

export interface ToolbarProps {
  readonly stage: Stage;
  readonly umPerPx: number | null;
  readonly onFullPage: () => void;
  /** Null where no regions can be drawn; else whether they are being drawn. */
  readonly drawing: boolean | null;
  /** byKeyboard: whether the button was pressed by a key. */
  readonly onDraw: (byKeyboard: boolean) => void;
  /** Further tools. */
  readonly children?: ComponentChildren;
}

export function Toolbar({ stage, umPerPx, onFullPage, drawing, onDraw, children }: ToolbarProps): JSX.Element {
  const text = strings.viewer;
  return (
    <div class="viewer-tools" role="toolbar" aria-label={text.tools} onKeyDown={moveFocus}>
      {umPerPx !== null && <Magnifications view={stage.view} umPerPx={umPerPx} onZoom={(um) => stage.zoomTo(um)} />}
      <div class="viewer-tool-group">
        <IconButton icon="minus" label={text.zoomOut} onClick={() => stage.zoomBy(1 / ZOOM_STEP)} />
        <IconButton icon="plus" label={text.zoomIn} onClick={() => stage.zoomBy(ZOOM_STEP)} />
        <IconButton icon="home" label={text.home} onClick={() => stage.home()} />
        <TurnTool stage={stage} />
        {document.fullscreenEnabled && <IconButton icon="fullscreen" label={text.fullPage} onClick={onFullPage} />}
      </div>
      {drawing !== null && (
        <IconButton
          icon="marquee"
          label={text.draw}
          pressed={drawing}
          onClick={(event) => onDraw(event.detail === 0)}
        />
      )}
      {children}
    </div>
  );
}

interface MagnificationsProps {
  readonly view: ReadonlySignal<View | null>;
  readonly umPerPx: number;
  readonly onZoom: (umPerPx: number) => void;
}

function Magnifications({ view, umPerPx, onZoom }: MagnificationsProps): JSX.Element {
  const now = view.value && magnification(view.value.scale * umPerPx);
  return (
    <fieldset class="viewer-tool-group viewer-magnifications" aria-label={strings.viewer.magnification}>
      {STEPS.map((times) => (
        <Button
          key={times}
          kind="quiet"
          pressed={now !== null && Math.abs(now / times - 1) < NEAR}
          disabled={!isWithinScan(times, umPerPx)}
          title={isWithinScan(times, umPerPx) ? undefined : strings.viewer.beyondScan}
          onClick={() => onZoom(umPerScreenPx(times))}
        >
          {magnificationText(times)}
        </Button>
      ))}
    </fieldset>
  );
}

/** Left and right go from button to button, as they do in toolbars; in a panel that one opened they are its sliders'. */
function moveFocus(event: KeyboardEvent): void {
  if ((event.target as Element).closest(".viewer-panel")) return;
  const bar = event.currentTarget as HTMLElement;
  const buttons = [...bar.querySelectorAll<HTMLElement>("button:enabled:not(.viewer-panel *)")];
  const next = neighbourAt(event.key, buttons.indexOf(document.activeElement as HTMLElement), buttons.length);
  if (next === null) return;
  event.preventDefault();
  buttons[next]?.focus();
}
