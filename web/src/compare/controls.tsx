import type { JSX } from "preact";
import { route, show } from "../state/navigation";
import { useEscape } from "../state/shortcuts";
import { announce, toast } from "../state/toasts";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { copyText } from "../ui/clipboard";
import { OVERLAYS, type OverlayName } from "./overlays";
import type { Alignment } from "./use-alignment";
import type { Link } from "./use-link";
import { writePlaces } from "./use-shown-place";

const texts = strings.compare;

export interface OverlayPickerProps {
  readonly overlay: OverlayName;
  /** Whether there are maps to draw lines of. */
  readonly hasMaps: boolean;
}

/** Which contours lie over the slides. */
export function OverlayPicker({ overlay, hasMaps }: OverlayPickerProps): JSX.Element {
  return (
    <>
      {overlay !== "off" && <p class="print-only">{[texts.overlay, texts.overlays[overlay]].join(": ")}</p>}
      <select
        class="select screen-only"
        aria-label={texts.overlay}
        value={overlay}
        disabled={!hasMaps}
        title={hasMaps ? texts.overlayTips[overlay] : texts.noMaps}
        onChange={({ currentTarget: { value } }) => show("overlay", value === "off" ? null : value)}
      >
        {OVERLAYS.map((name) => (
          <option key={name} value={name}>
            {texts.overlays[name]}
          </option>
        ))}
      </select>
    </>
  );
}

/** Whether both slides have one scale, move together, and are laid on each other. */
export function LinkButtons({ link, alignment }: { link: Link; alignment: Alignment }): JSX.Element {
  const { hasSameScale, isLocked, canLink } = link;
  return (
    <fieldset class="compare-links screen-only" aria-label={texts.linkTools}>
      <IconButton
        icon="sameScale"
        label={texts.sameScale}
        pressed={hasSameScale}
        disabled={!canLink}
        onClick={() => link.setSameScale(!hasSameScale)}
      />
      <IconButton
        icon={isLocked ? "link" : "unlink"}
        label={texts.lock}
        pressed={isLocked}
        disabled={!canLink}
        onClick={() => link.setLocked(!isLocked)}
      />
      <IconButton
        icon="align"
        label={texts.align}
        pressed={alignment.isOn}
        disabled={!canLink}
        onClick={alignment.toggle}
      />
    </fieldset>
  );
}

/** What to do while places are chosen. */
export function AlignmentBar({ alignment }: { alignment: Alignment }): JSX.Element | null {
  const { isOn, counts, isMirrored, setMirrored, toggle } = alignment;
  useEscape(isOn, texts.stopAligning, toggle);
  if (!isOn) return null;
  return (
    <div class="compare-alignment screen-only">
      <p role="status">
        {texts.alignHint} <b>{texts.alignCounts(counts.query, counts.result)}</b>
      </p>
      <label>
        <input
          type="checkbox"
          checked={isMirrored}
          onChange={({ currentTarget }) => setMirrored(currentTarget.checked)}
        />{" "}
        {texts.mirrored}
      </label>
      <Button onClick={toggle}>{texts.endAlignment}</Button>
    </div>
  );
}

/** A link to what is seen now. */
export function CopyLink(): JSX.Element {
  const copy = async (): Promise<void> => {
    writePlaces();
    if (await copyText(location.href)) toast(texts.copied);
    else toast(texts.notCopied, "error");
  };
  return <IconButton icon="share" class="screen-only" label={texts.copyLink} onClick={() => void copy()} />;
}

/** Whether the panel beside the slides is shown: the address says so. */
export function isSideOpen(): boolean {
  return route.value.shown.side !== "off";
}

export function SideButton(): JSX.Element {
  const isOpen = isSideOpen();
  const toggle = (): void => {
    show("side", isOpen ? "off" : null);
    announce(isOpen ? texts.sideClosed : texts.sideOpened);
  };
  return (
    <IconButton
      icon="sidePanel"
      class="screen-only"
      label={isOpen ? texts.closeSide : texts.openSide}
      aria-expanded={isOpen}
      onClick={toggle}
    />
  );
}
