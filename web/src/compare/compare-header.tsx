import type { ComponentChildren, JSX } from "preact";
import type { Slide } from "../api/types";
import { CaseLinks } from "../browse/case-links";
import { JudgeSlide } from "../results/judge-buttons";
import { hrefTo } from "../state/navigation";
import { fileNameOf, valueIn } from "../state/slide-names";
import { strings } from "../strings";
import { ProbabilityBar } from "../ui/bars";
import { IconButton } from "../ui/button";
import { Icon } from "../ui/icons";
import type { Comparison } from "./comparison";
import { likelihood } from "./likelihood";
import type { Neighbours } from "./neighbours";

const texts = strings.compare;

export interface CompareHeaderProps {
  readonly comparison: Comparison;
  readonly neighbours: Neighbours;
  /** Tools for what is below. */
  readonly children?: ComponentChildren;
}

/** One line: which result it is, its number, what is said of it, and tools. */
export function CompareHeader({ comparison, neighbours, children }: CompareHeaderProps): JSX.Element {
  const { result } = comparison;
  const { onPrevious, onNext, count } = neighbours;
  return (
    <header class="compare-head">
      <a class="compare-back screen-only" href={hrefTo({ view: "results", selected: null })}>
        <Icon name="left" /> {texts.back}
      </a>
      <div class="compare-steps">
        <IconButton icon="left" label={texts.previous} disabled={!onPrevious} onClick={() => onPrevious?.()} />
        <span class="compare-rank">{texts.rank(result.rank, count)}</span>
        <IconButton icon="right" label={texts.next} disabled={!onNext} onClick={() => onNext?.()} />
      </div>
      <SlideTitle slide={result.slide} />
      <Probability comparison={comparison} />
      <JudgeSlide slideId={result.slide_id} />
      <div class="compare-tools">{children}</div>
    </header>
  );
}

/** A slide's name, and what else it is known by where there is room. */
export function SlideTitle({ slide }: { slide: Slide }): JSX.Element {
  const facts = [slide.diagnosis, slide.organ, slide.stain, slide.site, fileNameOf(slide)];
  return (
    <div class="compare-names">
      <h1>{slide.title}</h1>
      <p>
        {facts
          .filter((fact) => fact && fact !== slide.title)
          .map((fact) => (
            <span key={fact} class="compare-fact">
              {fact}
            </span>
          ))}
        <CaseLinks slide={slide} />
      </p>
    </div>
  );
}

/** How likely the result is of the query's label: the one number of a result, with the word for it. */
function Probability({ comparison: { result, calibratedFor } }: { comparison: Comparison }): JSX.Element | null {
  const { probability, slide } = result;
  if (calibratedFor !== null && valueIn(slide, calibratedFor) === null) {
    return <p class="compare-probability">{texts.unlabelled(calibratedFor)}</p>;
  }
  if (probability === null) return null;
  return (
    <p class="compare-probability" title={texts.probability(calibratedFor)}>
      <ProbabilityBar value={probability} calibratedFor={calibratedFor} />
      <span>{texts.likelihood[likelihood(probability)]}</span>
    </p>
  );
}
