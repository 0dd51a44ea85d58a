import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { ApiError } from "../api/error";
import type { ExplainResponse, SlideAttention } from "../api/types";
import { archiveName } from "../state/archives";
import { route, show } from "../state/navigation";
import { strings } from "../strings";
import { ErrorPanel } from "../ui/status";
import type { Heat } from "../viewer/heat-layer";
import { pictureOf, pictureOfResult } from "./cached-requests";
import { CompareHeader } from "./compare-header";
import { type Comparison, querySlide, slideRef } from "./comparison";
import { Controls, OVERLAYS, type Overlay } from "./controls";
import { useNeighbours } from "./neighbours";
import { QueryWords } from "./query-words";
import { SidePanel } from "./side-panel";
import { SlidePane } from "./slide-pane";
import { type Places, usePlaces } from "./use-places";

/** Kept for the next result. */
const opacity = signal(0.6);

export interface WorkspaceProps {
  readonly comparison: Comparison;
  /** Null until it has come. */
  readonly answer: ExplainResponse | null;
  readonly error: ApiError | null;
  readonly onRetry: () => void;
}

/** Both slides, what they have in common, and the report. */
export function Workspace({ comparison, answer, error, onRetry }: WorkspaceProps): JSX.Element {
  const { query, result } = comparison;
  const places = usePlaces(comparison);
  const slideOfQuery = querySlide(comparison);
  const overlay = OVERLAYS.find((one) => one === route.value.shown.overlay) ?? "off";
  return (
    <div class={`compare ${slideOfQuery ? "" : "compare-one"}`}>
      <CompareHeader comparison={comparison} {...useNeighbours()} />
      <Controls
        overlay={overlay}
        hasMaps={Boolean(answer?.query_attention || answer?.result_attention)}
        onOverlay={(name) => show("overlay", name === "off" ? null : name)}
        opacity={opacity.value}
        onOpacity={(value) => {
          opacity.value = value;
        }}
        lock={slideOfQuery ? places.lock : null}
      />
      <Slides comparison={comparison} answer={answer} places={places} overlay={overlay} />
      <SidePanel result={result} selected={places.selected} onGo={places.go} onPair={places.goToPair}>
        <QueryWords request={route.value.query} query={query} />
        {error && <ErrorPanel error={error} onRetry={onRetry} />}
      </SidePanel>
    </div>
  );
}

interface SlidesProps {
  readonly comparison: Comparison;
  readonly answer: ExplainResponse | null;
  readonly places: Places;
  readonly overlay: Overlay;
}

/** The slide slideOfQuery with, where there is one, and the result. */
function Slides({ comparison, answer, places, overlay }: SlidesProps): JSX.Element {
  const { result } = comparison;
  const { frames, selected, select, go } = places;
  const slideOfQuery = querySlide(comparison);
  const queryHeat = useHeat(answer?.query_attention ?? null, overlay);
  const resultHeat = useHeat(answer?.result_attention ?? null, overlay);
  const both = { selected, onSelect: select, onGo: go, heatOpacity: opacity.value };
  return (
    <div class="compare-slides">
      {slideOfQuery && (
        <SlidePane
          {...both}
          key="query"
          role={strings.compare.query}
          name={slideOfQuery.name}
          of={pictureOf(archiveName.value, slideOfQuery)}
          reference={slideRef(slideOfQuery, route.value.query)}
          frames={frames.query}
          heat={queryHeat}
          onStage={places.onQueryStage}
        />
      )}
      <SlidePane
        {...both}
        key="result"
        role={strings.compare.result}
        name={result.slide_id}
        of={pictureOfResult(archiveName.value, result.slide)}
        reference={{ slide_id: result.slide_id }}
        frames={frames.result}
        heat={resultHeat}
        onStage={places.onResultStage}
      />
    </div>
  );
}

function useHeat(attention: SlideAttention | null, overlay: Overlay): Heat | null {
  return useMemo(
    () => (attention && overlay !== "off" ? { kind: overlay, map: attention[overlay] } : null),
    [attention, overlay],
  );
}
