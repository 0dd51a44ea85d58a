import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { slides } from "../api/endpoints";
import type { CounterExample, DifferentialColumn, Result } from "../api/types";
import { archiveName } from "../state/archives";
import { hrefTo } from "../state/navigation";
import { strings } from "../strings";
import { ProbabilityBar } from "../ui/bars";
import { IconButton } from "../ui/button";
import { Picture } from "../ui/picture";
import { DiagnosisPicker } from "./diagnosis-picker";
import { TermTable } from "./term-table";

const words = strings.board;
const FIELD_PX = 224;

export interface DiagnosisColumnProps {
  readonly column: DifferentialColumn;
  readonly calibratedFor: string;
  readonly free: readonly string[];
  readonly onReplace: (label: string) => void;
  /** Null where no fewer columns can be weighed. */
  readonly onRemove: (() => void) | null;
}

/** A diagnosis: how probable it is, its nearest cases, what it is mistaken for, and its terms. */
export function DiagnosisColumn(props: DiagnosisColumnProps): JSX.Element {
  const { label, probability, nearest, counter_example: example, terms, reports } = props.column;
  const id = useId();
  return (
    <section class="board-column panel" aria-labelledby={id}>
      <header>
        <h2 id={id}>{label}</h2>
        {props.onRemove && <IconButton icon="close" label={words.remove(label)} onClick={props.onRemove} />}
      </header>
      <div class="board-likely">
        {probability !== null && <ProbabilityBar value={probability} calibratedFor={props.calibratedFor} />}
        <DiagnosisPicker
          free={props.free}
          onPick={props.onReplace}
          label={words.replace(label)}
          hint={words.replaceHint}
        />
      </div>
      {nearest.length ? (
        <ol class="board-cases" aria-label={words.nearest(label)}>
          {nearest.map((result) => (
            <CaseCard key={result.slide_id} result={result} />
          ))}
        </ol>
      ) : (
        <p role="status">{words.none}</p>
      )}
      <TermTable terms={terms} reports={reports} label={label} />
      {example && <Counter example={example} label={label} />}
    </section>
  );
}

function CaseCard({ result }: { result: Result }): JSX.Element {
  const { slide, slide_id, field } = result;
  const archive = archiveName.value;
  const src = field
    ? slides.regionUrl(archive, slide_id, field, FIELD_PX)
    : slides.thumbnailUrl(archive, slide_id, FIELD_PX);
  return (
    <li>
      <a class="board-case" href={hrefTo({ view: "compare", selected: slide_id })}>
        {slide.has_image && <Picture src={src} width={FIELD_PX} height={FIELD_PX} />}
        <span>{slide.title}</span>
      </a>
    </li>
  );
}

/** What the diagnosis is mistaken for. */
function Counter({ example, label }: { example: CounterExample; label: string }): JSX.Element {
  const { result } = example;
  return (
    <div class="board-counter">
      <h3>{words.counter(example.label)}</h3>
      <p class="faint">{words.counterWhy(label)}</p>
      <ul class="board-cases">
        <CaseCard result={result} />
      </ul>
    </div>
  );
}
