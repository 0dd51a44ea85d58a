import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { ApiError } from "../api/error";
import type { ExplainResponse, Result } from "../api/types";
import { archiveName } from "../state/archives";
import { route } from "../state/navigation";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { ErrorPanel } from "../ui/status";
import { pictureKey, pictureOf, pictureOfResult } from "./cached-requests";
import { CompareHeader } from "./compare-header";
import { type Comparison, querySlide, slideRef } from "./comparison";
import { AlignmentBar, CopyLink, isSideOpen, LinkButtons, OverlayPicker, SideButton } from "./controls";
import { useNeighbours } from "./neighbours";
import { overlayNamed, overlayOf } from "./overlays";
import { QueryWords } from "./query-words";
import { SidePanel } from "./side-panel";
import { SlidePane } from "./slide-pane";
import { type Alignment, useAlignment } from "./use-alignment";
import { type Places, usePlaces } from "./use-places";
import { useViewKeys } from "./use-view-keys";

const texts = strings.compare;

export interface WorkspaceProps {
  readonly comparison: Comparison;
  /** In the order in which they are gone through. */
  readonly results: readonly Result[];
  /** Null until it has come. */
  readonly answer: ExplainResponse | null;
  readonly error: ApiError | null;
  readonly onRetry: () => void;
}

/** Both slides, what they have in common, and the report. */
export function Workspace({ comparison, results, answer, error, onRetry }: WorkspaceProps): JSX.Element {
  const { query, result } = comparison;
  const places = usePlaces(comparison);
  const { queryStage, resultStage, link } = places;
  const stages = { query: queryStage, result: resultStage };
  const asked = querySlide(comparison);
  const pictures = [asked && pictureOf(archiveName.value, asked), pictureOfResult(archiveName.value, result.slide)];
  const keys = pictures.flatMap((picture) => (picture ? [pictureKey(picture)] : []));
  const alignment = useAlignment(stages, link, keys, () => toast(texts.notAligned, "error"));
  const neighbours = useNeighbours(results);
  useViewKeys(resultStage);
  const isOne = asked === null;
  return (
    <div class={`compare ${isOne ? "compare-one" : ""} ${isSideOpen() ? "" : "compare-wide"}`}>
      <CompareHeader comparison={comparison} neighbours={neighbours}>
        <OverlayPicker
          overlay={overlayNamed(route.value.shown.overlay)}
          hasMaps={Boolean(answer?.query_attention || answer?.result_attention)}
        />
        {!isOne && <LinkButtons link={link} alignment={alignment} />}
        <CopyLink />
        <SideButton />
      </CompareHeader>
      <AlignmentBar alignment={alignment} />
      <Slides comparison={comparison} answer={answer} places={places} alignment={alignment} />
      {isSideOpen() && (
        <SidePanel result={result} selected={places.selected} onGo={places.go} onPair={places.goToPair}>
          <QueryWords request={route.value.query} query={query} />
          {error && <ErrorPanel error={error} onRetry={onRetry} />}
        </SidePanel>
      )}
    </div>
  );
}

interface SlidesProps {
  readonly comparison: Comparison;
  readonly answer: ExplainResponse | null;
  readonly places: Places;
  readonly alignment: Alignment;
}

/** The slide asked with, where there is one, and the result. */
function Slides({ comparison, answer, places, alignment }: SlidesProps): JSX.Element {
  const { result } = comparison;
  const { frames, selected, select, go } = places;
  const asked = querySlide(comparison);
  const overlay = overlayNamed(route.value.shown.overlay);
  const [ofQuery, ofResult] = [answer?.query_attention ?? null, answer?.result_attention ?? null];
  const queryOverlay = useMemo(() => overlayOf(ofQuery, overlay), [ofQuery, overlay]);
  const resultOverlay = useMemo(() => overlayOf(ofResult, overlay), [ofResult, overlay]);
  const both = { selected, onSelect: select, onGo: go };
  return (
    <div class="compare-slides">
      {asked && (
        <SlidePane
          {...both}
          key="query"
          role={texts.query}
          name={asked.name}
          of={pictureOf(archiveName.value, asked)}
          reference={slideRef(asked, route.value.query)}
          frames={frames.query}
          overlay={queryOverlay}
          picking={alignment.query}
          onStage={places.onQueryStage}
        />
      )}
      <SlidePane
        {...both}
        key="result"
        role={texts.result}
        name={result.slide.title}
        of={pictureOfResult(archiveName.value, result.slide)}
        reference={{ slide_id: result.slide_id }}
        frames={frames.result}
        overlay={resultOverlay}
        picking={alignment.result}
        onStage={places.onResultStage}
      />
    </div>
  );
}
