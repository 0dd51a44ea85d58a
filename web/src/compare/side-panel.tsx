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

/** What matched, the report, and how the score comes about. */
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
      <section>
        <h2>{texts.report}</h2>
        <ReportPane text={report_text} phrases={phrases} />
      </section>
      {explanation && (
        <details class="compare-why">
          <summary>{texts.explanation}</summary>
          <Parts result={result} />
          <ExplanationPane
            explanation={explanation}
            score={result.score}
            matches={matches}
            selected={selected}
            onGo={onGo}
            onPair={onPair}
          />
        </details>
      )}
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

/** The numbers that a result was ranked by. */
function Parts({ result: { local, global } }: { result: Result }): JSX.Element | null {
  const parts = [
    { name: texts.local, value: local },
    { name: texts.global, value: global },
  ].flatMap(({ name, value }) => (value === null ? [] : [{ name, value }]));
  if (!parts.length) return null;
  return (
    <dl class="compare-parts" title={texts.distanceTip}>
      {parts.map(({ name, value }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{texts.figure(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
