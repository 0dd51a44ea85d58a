import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Result } from "../api/types";
import { route } from "../state/navigation";
import { strings } from "../strings";
import { excerptOf, type Segment, thinOut } from "./highlight";

const LENGTH = 260;
// Of reports that were asked for.
const LONG = 700;

/** A part of a result's report, with what the words asked for marked; nothing where it has no report. */
export function ReportExcerpt({ result }: { result: Result }): JSX.Element | null {
  const { report_text, phrases } = result;
  const length = route.value.settings.to === "reports" ? LONG : LENGTH;
  const excerpt = useMemo(
    () => (report_text ? excerptOf(report_text, phrases, length) : null),
    [report_text, phrases, length],
  );
  if (!excerpt) return null;
  return (
    <p class="results-excerpt">
      {excerpt.before && "… "}
      {thinOut(excerpt.segments).map((segment, at) => (
        <Marked key={`${at} ${segment.text}`} segment={segment} />
      ))}
      {excerpt.after && " …"}
    </p>
  );
}

function Marked({ segment }: { segment: Segment }): JSX.Element {
  if (segment.words) return <mark class="results-words">{segment.text}</mark>;
  if (segment.meaning) {
    return (
      <mark class="results-meaning" title={strings.results.meaning}>
        {segment.text}
      </mark>
    );
  }
  return <>{segment.text}</>;
}
