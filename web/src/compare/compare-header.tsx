import type { JSX } from "preact";
import type { Slide } from "../api/types";
import { JudgeSlide } from "../results/judge-buttons";
import { hrefTo } from "../state/navigation";
import { otherNamesOf, valueIn } from "../state/slide-names";
import { strings } from "../strings";
import { ProbabilityBar } from "../ui/bars";
import { IconButton } from "../ui/button";
import { Icon } from "../ui/icons";
import { type Comparison, querySlide } from "./comparison";
import { likelihood } from "./likelihood";

const texts = strings.compare;

export interface CompareHeaderProps {
  readonly comparison: Comparison;
  /** Null at the ends of the list. */
  readonly onPrevious: (() => void) | null;
  readonly onNext: (() => void) | null;
}

/** Which slides are compared, and how alike they are. */
export function CompareHeader({ comparison, onPrevious, onNext }: CompareHeaderProps): JSX.Element {
  const { result } = comparison;
  return (
    <header class="compare-head">
      <a class="compare-back screen-only" href={hrefTo({ view: "results", selected: null })}>
        <Icon name="left" /> {texts.back}
      </a>
      <div class="compare-names">
        <h1>
          <span class="compare-rank">{texts.rank(result.rank)}</span> {result.slide.diagnosis ?? result.slide_id}
        </h1>
        <Facts facts={[namesOf(comparison), ...factsOf(result.slide)]} />
      </div>
      <Numbers comparison={comparison} />
      <JudgeSlide slideId={result.slide_id} />
      <div class="compare-steps">
        <IconButton icon="left" label={texts.previous} disabled={!onPrevious} onClick={() => onPrevious?.()} />
        <IconButton icon="right" label={texts.next} disabled={!onNext} onClick={() => onNext?.()} />
      </div>
    </header>
  );
}

/** Which slides these are; null where the title says it. */
function namesOf(comparison: Comparison): string | null {
  const { slide_id, slide } = comparison.result;
  const slideOfQuery = querySlide(comparison);
  if (slideOfQuery) return texts.names(slideOfQuery.name, slide_id);
  return slide.diagnosis === null ? null : slide_id;
}

/** What a slide is known by, and where it is from. */
export function factsOf(slide: Slide): (string | null)[] {
  return [...otherNamesOf(slide), slide.organ, slide.stain, slide.site];
}

/** Those facts that are known, on one line. */
export function Facts({ facts }: { facts: readonly (string | null)[] }): JSX.Element {
  return (
    <p>
      {facts
        .filter((fact) => fact)
        .map((fact) => (
          <span key={fact} class="compare-fact">
            {fact}
          </span>
        ))}
    </p>
  );
}

function Numbers({ comparison: { result, calibratedFor } }: { comparison: Comparison }): JSX.Element {
  const { score, probability, local, global } = result;
  const isUnlabelled = calibratedFor !== null && valueIn(result.slide, calibratedFor) === null;
  return (
    <dl class="compare-numbers">
      {(isUnlabelled || probability !== null) && (
        <div class="compare-probability">
          <dt>{texts.probability(calibratedFor)}</dt>
          {probability === null ? (
            <dd class="compare-unlabelled">{texts.unlabelled}</dd>
          ) : (
            <dd>
              <ProbabilityBar value={probability} calibratedFor={calibratedFor} />
              <span>{texts.likelihood[likelihood(probability)]}</span>
            </dd>
          )}
        </div>
      )}
      <Figure name={texts.score} tip={texts.scoreTip} value={score} />
      {local !== null && <Figure name={texts.local} tip={texts.distanceTip} value={local} />}
      {global !== null && <Figure name={texts.global} tip={texts.distanceTip} value={global} />}
    </dl>
  );
}

function Figure({ name, tip, value }: { name: string; tip: string; value: number }): JSX.Element {
  return (
    <div title={tip}>
      <dt>{name}</dt>
      <dd>{texts.figure(value)}</dd>
    </div>
  );
}
