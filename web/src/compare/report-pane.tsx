import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Phrase } from "../api/types";
import { type Segment, segmentsOf } from "../results/highlight";
import { strings } from "../strings";

const texts = strings.compare;

/** A report as a whole, with the phrases that the question met. */
export function ReportPane({ text, phrases }: { text: string | null; phrases: readonly Phrase[] }): JSX.Element {
  const segments = useMemo(() => (text ? segmentsOf(text, phrases) : []), [text, phrases]);
  if (!text) return <p class="compare-none">{texts.noReport}</p>;
  return (
    <>
      {phrases.length > 0 && <ReportKey phrases={phrases} />}
      <p class="compare-report">
        {segments.map((segment, place) => (
          <Piece key={`${place} ${segment.text.length}`} segment={segment} />
        ))}
      </p>
    </>
  );
}

function ReportKey({ phrases }: { phrases: readonly Phrase[] }): JSX.Element {
  const has = (kind: Phrase["kind"]) => phrases.some((phrase) => phrase.kind === kind);
  return (
    <p class="compare-key">
      {has("meaning") && <mark class="compare-meaning">{texts.meaning}</mark>}{" "}
      {has("words") && <mark class="compare-words">{texts.words}</mark>}
    </p>
  );
}

function Piece({ segment }: { segment: Segment }): JSX.Element {
  const { text, meaning, words } = segment;
  if (!meaning && !words) return <>{text}</>;
  return <mark class={`${meaning ? "compare-meaning" : ""} ${words ? "compare-words" : ""}`}>{text}</mark>;
}
