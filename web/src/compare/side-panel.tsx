import type { ComponentChildren, JSX } from "preact";
import type { PairContribution, Result } from "../api/types";
import { channelsText } from "../results/channels";
import { hrefTo } from "../state/navigation";
import { strings } from "../strings";
import { ExplanationPane } from "./explanation-pane";
import { MatchList } from "./match-list";
import { ReportPane } from "./report-pane";

const texts = strings.compare;

export interface SidePanelProps {
  readonly result: Result;
  readonly selected: string | null;
  readonly onGo: (id: string) => void;
  readonly onPair: (pair: PairContribution) => void;
  /** What stands above all. */
  readonly children?: ComponentChildren;
}

/** What matched, how the score comes about, and the report. */
export function SidePanel({ result, selected, onGo, onPair, children }: SidePanelProps): JSX.Element {
  const { matches, text_regions, explanation, report_text, phrases, also } = result;
  return (
    <aside class="compare-side" aria-label={texts.side}>
      {children}
      <section>
        <h2>{texts.matches}</h2>
        <MatchList matches={matches} textRegions={text_regions} selected={selected} onGo={onGo} />
        <p class="faint">{channelsText(result)}</p>
      </section>
      {explanation && (
        <section>
          <h2>{texts.explanation}</h2>
          <ExplanationPane
            explanation={explanation}
            score={result.score}
            matches={matches}
            selected={selected}
            onGo={onGo}
            onPair={onPair}
          />
        </section>
      )}
      <section>
        <h2>{texts.report}</h2>
        <ReportPane text={report_text} phrases={phrases} />
      </section>
      {also.length > 0 && (
        <section>
          <h2>{texts.also}</h2>
          <ul class="compare-also">
            {also.map((id) => (
              <li key={id}>
                <a href={hrefTo({ selected: id })}>{id}</a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  );
}
