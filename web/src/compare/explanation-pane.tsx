import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Explanation, Match, PairContribution } from "../api/types";
import { strings } from "../strings";
import { MATCH_COLOURS } from "../ui/colours";
import { inkOn } from "../viewer/frame";
import { matchId, pairId } from "./frames";
import { type Part, type Step, span, waterfall } from "./waterfall";

const MOST_PAIRS = 8;
/** Shares add up to the score but for less. */
const SAME = 1e-5;

const WHOLE_PARTS = {
  base: "base",
  global: "globalPart",
  context: "contextPart",
  neighbours: "neighboursPart",
} as const;

const texts = strings.compare;

export interface ExplanationPaneProps {
  readonly explanation: Explanation;
  /** Of the result; of several ways that led to it, only that of similar slides is explained. */
  readonly score: number;
  readonly matches: readonly Match[];
  readonly selected: string | null;
  readonly onGo: (id: string) => void;
  readonly onPair: (pair: PairContribution) => void;
}

/** How the score comes about: each part begins where the last one ended. */
export function ExplanationPane(props: ExplanationPaneProps): JSX.Element {
  const { explanation, score, matches, selected, onGo, onPair } = props;
  const steps = useMemo(() => waterfall(explanation, matches, MOST_PAIRS), [explanation, matches]);
  const sum = steps.at(-1)?.to ?? 0;
  const { low, high } = span(steps);
  const place = (value: number) => (100 * (value - low)) / (high - low || 1);
  const go = ({ part }: Step): (() => void) | null => {
    if (part.kind !== "pair" || !(part.pair.query_region || part.pair.result_region)) return null;
    const { pair, match } = part;
    return match === null ? () => onPair(pair) : () => onGo(matchId(match));
  };
  return (
    <table class="compare-steps-table">
      <caption class="visually-hidden">{texts.explanation}</caption>
      <thead class="visually-hidden">
        <tr>
          <th scope="col">{texts.part}</th>
          <th scope="col">{texts.gives}</th>
          <th scope="col">{texts.sum}</th>
        </tr>
      </thead>
      <tbody>
        {steps.map((step) => (
          <StepRow
            key={keyOf(step.part)}
            step={step}
            place={place}
            isSelected={keyOf(step.part) === selected}
            go={go(step)}
          />
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">{Math.abs(sum - score) < SAME ? texts.score : texts.slideScore}</th>
          <td class="number">{texts.figure(sum)}</td>
          <td />
        </tr>
      </tfoot>
    </table>
  );
}

interface StepRowProps {
  readonly step: Step;
  /** Where a sum is, in percent of the chart's width. */
  readonly place: (value: number) => number;
  readonly isSelected: boolean;
  readonly go: (() => void) | null;
}

function StepRow({ step, place, isSelected, go }: StepRowProps): JSX.Element {
  const { part, share, from, to } = step;
  const [left, right] = [place(Math.min(from, to)), place(Math.max(from, to))];
  const style = { left: `${left}%`, width: `${right - left}%` };
  const sign = share < 0 ? "compare-bar-less" : "compare-bar-more";
  return (
    <tr class={isSelected ? "is-selected" : ""}>
      <th scope="row">
        {go ? (
          <button type="button" class="compare-step" aria-pressed={isSelected} onClick={go}>
            <PartName part={part} />
          </button>
        ) : (
          <PartName part={part} />
        )}
      </th>
      <td class="number">{texts.share(share)}</td>
      <td class="compare-bar-cell">
        <span class="visually-hidden">{texts.figure(to)}</span>
        <span class={`compare-bar ${sign}`} style={style} />
        <span class="compare-bar-end" style={{ left: `${place(to)}%` }} />
      </td>
    </tr>
  );
}

function PartName({ part }: { part: Part }): JSX.Element {
  if (part.kind === "rest") return <>{texts.rest(part.count)}</>;
  if (part.kind !== "pair") return <>{texts[WHOLE_PARTS[part.kind]]}</>;
  if (part.match === null) return <>{pairName(part.pair)}</>;
  const colour = MATCH_COLOURS[part.match] ?? "#5e5e5e";
  return (
    <>
      <span class="compare-chip" style={{ background: colour, color: inkOn(colour) }} aria-hidden="true">
        {part.match + 1}
      </span>{" "}
      {texts.match(String(part.match + 1))}
    </>
  );
}

function pairName({ query_mosaic, result_mosaic }: PairContribution): string {
  const [query, result] = [query_mosaic, result_mosaic].map((mosaic) => (mosaic === null ? null : mosaic + 1));
  return texts.pair(query ?? null, result ?? null);
}

function keyOf(part: Part): string {
  if (part.kind !== "pair") return part.kind;
  return part.match === null ? pairId(part.pair) : matchId(part.match);
}
