import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { SlideRef } from "../api/types";
import { runQuery } from "../search/query-form";
import { archive } from "../state/archives";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { ErrorPanel, Spinner } from "../ui/status";
import { SlideViewer, type SlideViewerProps } from "../viewer/slide-viewer";
import type { Rect } from "../viewer/view";
import { fetchPicture, type PictureRef, pictureKey } from "./cached-requests";
import { PhrasesPanel } from "./phrases-panel";

const texts = strings.compare;

type Shown = Pick<SlideViewerProps, "frames" | "selected" | "onSelect" | "onGo" | "heat" | "heatOpacity" | "onStage">;

export interface SlidePaneProps extends Shown {
  /** "Query" or "Result". */
  readonly role: string;
  readonly name: string;
  readonly of: PictureRef;
  /** How to ask with this slide. */
  readonly reference: SlideRef;
}

/** A slide with its name, and ways to search with it or with regions of it. */
export function SlidePane({ role, name, of, reference, ...paneProps }: SlidePaneProps): JSX.Element {
  const { value, loading, error, reload } = useResource(of, fetchPicture);
  const key = pictureKey(of);
  const source = value?.key === key ? value : null;
  const [regions, setRegions] = useState<readonly Rect[]>([]);
  useEffect(() => setRegions([]), [key]);
  const searchRegions = (): void =>
    runQuery({ kind: "region", slide: reference, regions: regions.map((rect) => ({ ...rect })), unit: "px" });
  return (
    <div class="compare-pane">
      <div class="compare-pane-head">
        <h2>
          <span class="faint">{role}</span> {name}
        </h2>
        <Button kind="quiet" icon="search" onClick={() => runQuery({ kind: "slide", slide: reference })}>
          {texts.searchSlide}
        </Button>
      </div>
      <SlideViewer
        {...paneProps}
        label={`${role} ${name}`}
        source={source}
        regions={regions}
        onRegions={setRegions}
        regionActions={
          <Button kind="primary" icon="search" onClick={searchRegions}>
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

function NoPicture({ name }: { name: string }): JSX.Element {
  return (
    <div class="compare-no-picture">
      <h3>{texts.noPicture}</h3>
      <p>{texts.noPictureWhy(name)}</p>
    </div>
  );
}
