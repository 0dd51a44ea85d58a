import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { archiveName } from "../state/archives";
import { hrefTo, route } from "../state/navigation";
import { shownRegion } from "../state/region-key";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { Icon } from "../ui/icons";
import { ErrorPanel, Spinner } from "../ui/status";
import type { Stage } from "../viewer/stage";
import { fetchSlideWithReport, pictureOfResult } from "./cached-requests";
import { Facts, factsOf } from "./compare-header";
import { regionFrames } from "./frames";
import { ReportPane } from "./report-pane";
import { SlidePane } from "./slide-pane";
import { useFlight } from "./use-places";

const texts = strings.compare;

/** A slide and its report, where nothing was asked that it could be compared with. */
export function SingleSlide({ slideId }: { slideId: string }): JSX.Element {
  const { value, error, reload } = useResource({ archive: archiveName.value, slideId }, fetchSlideWithReport);
  const [stage, onStage] = useState<Stage | null>(null);
  const region = shownRegion(route.value);
  useFlight(stage, region);
  if (error) return <ErrorPanel error={error} onRetry={reload} />;
  if (value?.slide.slide_id !== slideId) return <Spinner />;
  const { slide, report } = value;
  return (
    <div class="compare compare-one compare-single">
      <header class="compare-head">
        <a class="compare-back screen-only" href={hrefTo({ view: "overview", selected: null })}>
          <Icon name="left" /> {texts.toOverview}
        </a>
        <div class="compare-names">
          <h1>{slide.diagnosis ?? slide.slide_id}</h1>
          <Facts facts={[slide.diagnosis && slide.slide_id, ...factsOf(slide)]} />
        </div>
      </header>
      <div class="compare-slides">
        <SlidePane
          role={texts.slide}
          name={slide.slide_id}
          of={pictureOfResult(archiveName.value, slide)}
          reference={{ slide_id: slide.slide_id }}
          frames={regionFrames(region)}
          onGo={() => region && stage?.flyTo(region)}
          onStage={onStage}
        />
      </div>
      <aside class="compare-side" aria-label={texts.side}>
        <section>
          <h2>{texts.report}</h2>
          <ReportPane text={report?.text ?? null} phrases={[]} />
        </section>
      </aside>
    </div>
  );
}
