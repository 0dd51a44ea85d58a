import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { ApiError } from "../api/error";
import type { ExplainResponse, PairShare, SlideAttention } from "../api/types";
import { archiveName } from "../state/archives";
import { route, show } from "../state/navigation";
import { strings } from "../strings";
import { ErrorPanel } from "../ui/status";
import type { Heat } from "../viewer/HeatLayer";
import type { Stage } from "../viewer/stage";
import { pictureOf, pictureOfResult } from "./answers";
import { CompareHeader } from "./CompareHeader";
import { Controls, OVERLAYS, type Overlay } from "./Controls";
import { askedSlide, type Comparison, slideRef } from "./compared";
import { framesOf, pairId } from "./frames";
import { Judge } from "./Judge";
import { useNeighbours } from "./neighbours";
import { QueryWords } from "./QueryWords";
import { SidePanel } from "./SidePanel";
import { SlidePane } from "./SlidePane";
import { useLock } from "./use-lock";

/** Kept for the next result. */
const opacity = signal(0.6);

export interface WorkplaceProps {
  readonly shown: Comparison;
  /** Null until it has come. */
  readonly answer: ExplainResponse | null;
  readonly error: ApiError | null;
  readonly onRetry: () => void;
}

/** Both slides, what they have in common, and the report. */
export function Workplace({ shown, answer, error, onRetry }: WorkplaceProps): JSX.Element {
  const { query, result } = shown;
  const [queryStage, setQueryStage] = useState<Stage | null>(null);
  const [resultStage, setResultStage] = useState<Stage | null>(null);
  const [selected, setSelected] = useState<string | null>(null);
  const [pair, setPair] = useState<PairShare | null>(null);
  const lock = useLock(queryStage, resultStage);
  const frames = useMemo(() => framesOf(query, result, pair), [query, result, pair]);
  useEffect(() => {
    setSelected(null);
    setPair(null);
  }, [result.slide_id]);
  const overlay = OVERLAYS.find((one) => one === route.value.shown.overlay) ?? "off";
  const queryHeat = useHeat(answer?.query_attention ?? null, overlay);
  const resultHeat = useHeat(answer?.result_attention ?? null, overlay);

  const goTo = (id: string, places: typeof frames): void => {
    setSelected(id);
    lock.moveBoth((atOnce) => {
      const ends = [
        [queryStage, places.query],
        [resultStage, places.result],
      ] as const;
      for (const [stage, own] of ends) {
        const frame = own.find((one) => one.id === id);
        if (frame) stage?.flyTo(frame.rect, atOnce || undefined);
      }
    });
  };
  const goToPair = (wanted: PairShare): void => {
    setPair(wanted);
    goTo(pairId(wanted), framesOf(query, result, wanted));
  };
  const go = (id: string): void => goTo(id, frames);
  const asked = askedSlide(shown);
  const both = { selected, onSelect: setSelected, onGo: go, heatOpacity: opacity.value };
  return (
    <div class={`compare ${asked ? "" : "compare-one"}`}>
      <CompareHeader shown={shown} {...useNeighbours(result.slide_id)} />
      <Controls
        overlay={overlay}
        hasMaps={Boolean(answer?.query_attention || answer?.result_attention)}
        onOverlay={(name) => show("overlay", name === "off" ? null : name)}
        opacity={opacity.value}
        onOpacity={(value) => {
          opacity.value = value;
        }}
        lock={asked ? lock : null}
      >
        <Judge slideId={result.slide_id} />
      </Controls>
      <div class="compare-slides">
        {asked && (
          <SlidePane
            {...both}
            role={strings.compare.query}
            name={asked.name}
            of={pictureOf(archiveName.value, asked)}
            reference={slideRef(asked, route.value.query)}
            frames={frames.query}
            heat={queryHeat}
            onStage={setQueryStage}
          />
        )}
        <SlidePane
          {...both}
          role={strings.compare.result}
          name={result.slide_id}
          of={pictureOfResult(archiveName.value, result.slide)}
          reference={{ slide_id: result.slide_id }}
          frames={frames.result}
          heat={resultHeat}
          onStage={setResultStage}
        />
      </div>
      <SidePanel result={result} selected={selected} onGo={go} onPair={goToPair}>
        <QueryWords query={query} />
        {error && <ErrorPanel error={error} onRetry={onRetry} />}
      </SidePanel>
    </div>
  );
}

function useHeat(attention: SlideAttention | null, overlay: Overlay): Heat | null {
  return useMemo(
    () => (attention && overlay !== "off" ? { kind: overlay, map: attention[overlay] } : null),
    [attention, overlay],
  );
}
