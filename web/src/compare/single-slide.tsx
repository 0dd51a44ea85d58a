import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Report, Slide } from "../api/types";
import { archiveName } from "../state/archives";
import { hrefTo, route } from "../state/navigation";
import { shownRegion } from "../state/region-key";
import { useResource } from "../state/resource";
import { shownPlace } from "../state/shown-place";
import { strings } from "../strings";
import { Icon } from "../ui/icons";
import { ErrorPanel, Spinner } from "../ui/status";
import type { Stage } from "../viewer/stage";
import { fetchSlideWithReport, pictureOfResult } from "./cached-requests";
import { SlideTitle } from "./compare-header";
import { CopyLink, isSideOpen, SideButton } from "./controls";
import { regionFrames } from "./frames";
import { ReportPane } from "./report-pane";
import { SlidePane } from "./slide-pane";
import { useFlight } from "./use-places";
import { useShownPlace } from "./use-shown-place";
import { useViewKeys } from "./use-view-keys";

const texts = strings.compare;

/** A slide and its report, where nothing was asked that it could be compared with. */
export function SingleSlide({ slideId }: { slideId: string }): JSX.Element {
  const { value, error, reload } = useResource({ archive: archiveName.value, slideId }, fetchSlideWithReport);
  if (error) return <ErrorPanel error={error} onRetry={reload} />;
  if (value?.slide.slide_id !== slideId) return <Spinner />;
  return <OneSlide {...value} />;
}

function OneSlide({ slide, report }: { slide: Slide; report: Report | null }): JSX.Element {
  const [stage, onStage] = useState<Stage | null>(null);
  const region = shownRegion(route.value);
  useFlight(stage, shownPlace(route.value, "result", slide.slide_id) ? null : region);
  useShownPlace(stage, "result", slide.slide_id);
  useViewKeys(stage);
  return (
    <div class={`compare compare-one ${isSideOpen() ? "" : "compare-wide"}`}>
      <header class="compare-head">
        <a class="compare-back screen-only" href={hrefTo({ view: "results", selected: null })}>
          <Icon name="left" /> {texts.toArchive}
        </a>
        <SlideTitle slide={slide} />
        <div class="compare-tools">
          <CopyLink />
          <SideButton />
        </div>
      </header>
      <div class="compare-slides">
        <SlidePane
          role={texts.slide}
          name={slide.title}
          of={pictureOfResult(archiveName.value, slide)}
          reference={{ slide_id: slide.slide_id }}
          frames={regionFrames(region)}
          onGo={() => region && stage?.flyTo(region)}
          onStage={onStage}
        />
      </div>
      {isSideOpen() && (
        <aside class="compare-side" aria-label={texts.side}>
          <section>
            <h2>{texts.report}</h2>
            <ReportPane text={report?.text ?? null} phrases={[]} />
          </section>
        </aside>
      )}
    </div>
  );
}
