import type { ComponentChildren, JSX } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useMarkup } from "../annotations/markup";
import type { SlideRef } from "../api/types";
import { runQuery } from "../search/query-form";
import { archive } from "../state/archives";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { ErrorPanel, Spinner } from "../ui/status";
import { regionBetween } from "../viewer/regions";
import { SlideViewer, type SlideViewerProps } from "../viewer/slide-viewer";
import type { Stage } from "../viewer/stage";
import { type Rect, seenPart } from "../viewer/view";
import { fetchPicture, type PictureRef, pictureKey } from "./cached-requests";
import { PhrasesPanel } from "./phrases-panel";

const texts = strings.compare;

type Shown = Pick<SlideViewerProps, "frames" | "selected" | "onSelect" | "onGo" | "overlay" | "picking">;

export interface SlidePaneProps extends Shown {
  /** "Query" or "Result". */
  readonly role: string;
  readonly name: string;
  readonly of: PictureRef;
  /** How to ask with this slide. */
  readonly reference: SlideRef;
  readonly onStage: (stage: Stage | null) => void;
}

/** A slide with its name, and ways to search with it or with regions of it. */
export function SlidePane({ role, name, of, reference, onStage, ...paneProps }: SlidePaneProps): JSX.Element {
  const { value, loading, error, reload } = useResource(of, fetchPicture);
  const key = pictureKey(of);
  const source = value?.key === key ? value : null;
  const markup = useMarkup(of, source !== null);
  const [regions, setRegions] = useState<readonly Rect[]>([]);
  const stage = useRef<Stage | null>(null);
  useEffect(() => setRegions([]), [key]);
  const keepStage = useCallback(
    (now: Stage | null): void => {
      stage.current = now;
      onStage(now);
    },
    [onStage],
  );
  const searchRegions = (among: readonly Rect[]): void =>
    runQuery({ kind: "region", slide: reference, regions: among.map((rect) => ({ ...rect })), unit: "px" });
  const searchSeen = (): void => {
    const seen = seenRegion(stage.current);
    if (seen) searchRegions([seen]);
  };
  return (
    <div class="compare-pane">
      <SlideViewer
        {...paneProps}
        {...markup}
        label={`${role} ${name}`}
        heading={
          <PaneHeading role={role} name={name}>
            <IconButton
              icon="search"
              label={texts.searchSlide}
              onClick={() => runQuery({ kind: "slide", slide: reference })}
            />
            {source && <IconButton icon="searchView" label={texts.searchSeen} onClick={searchSeen} />}
          </PaneHeading>
        }
        source={source}
        regions={regions}
        onRegions={setRegions}
        onStage={keepStage}
        regionActions={
          <Button kind="primary" icon="search" onClick={() => searchRegions(regions)}>
            {texts.searchRegions(regions.length)}
          </Button>
        }
      >
        {error ? <ErrorPanel error={error} onRetry={reload} /> : loading ? <Spinner /> : <NoPicture name={name} />}
      </SlideViewer>
      {source && archive.value?.measures_regions && <PhrasesPanel reference={reference} regions={regions} />}
    </div>
  );
}

function PaneHeading({ role, name, children }: { role: string; name: string; children: ComponentChildren }) {
  return (
    <div class="compare-pane-head">
      <h2 title={name}>
        <span class="faint">{role}</span> {name}
      </h2>
      {children}
    </div>
  );
}

/** What is seen of a slide now; null while nothing is. */
function seenRegion(stage: Stage | null): Rect | null {
  const [view, slide] = [stage?.view.peek(), stage?.slide];
  if (!view || !slide) return null;
  const { x, y, width, height } = seenPart(view);
  return regionBetween(slide, { x, y }, { x: x + width, y: y + height });
}

function NoPicture({ name }: { name: string }): JSX.Element {
  return (
    <div class="compare-no-picture">
      <h3>{texts.noPicture}</h3>
      <p>{texts.noPictureWhy(name)}</p>
    </div>
  );
}
