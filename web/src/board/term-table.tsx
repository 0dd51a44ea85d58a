import type { JSX } from "preact";
import type { DistinguishingTerm } from "../api/types";
import { strings } from "../strings";

const words = strings.board;
const UNCERTAIN = 0.05;

export interface TermTableProps {
  readonly terms: readonly DistinguishingTerm[];
  /** How many of the nearest patients have a report. */
  readonly reports: number;
  readonly label: string;
}

/** What the reports of a diagnosis' nearest cases state more often than those of the others. */
export function TermTable({ terms, reports, label }: TermTableProps): JSX.Element {
  if (!terms.length) return <p class="faint">{reports ? words.noTerms : words.noReports}</p>;
  return (
    <table class="board-terms">
      <caption>{words.terms(reports)}</caption>
      <thead>
        <tr>
          <th scope="col">{words.term}</th>
          <th scope="col">
            <span class="visually-hidden">{label}</span>
            <span aria-hidden="true">{words.here}</span>
          </th>
          <th scope="col">{words.others}</th>
        </tr>
      </thead>
      <tbody>
        {terms.map((term) => (
          <Term key={`${term.field} ${term.value}`} term={term} />
        ))}
      </tbody>
    </table>
  );
}

function Term({ term }: { term: DistinguishingTerm }): JSX.Element {
  const mayBeChance = term.chance > UNCERTAIN;
  return (
    <tr class={mayBeChance ? "board-chance" : undefined}>
      <th scope="row">
        {term.name}
        {mayBeChance && <span class="board-may"> {words.chance}</span>}
      </th>
      <td>{words.of(term.stated, term.judged)}</td>
      <td>{words.of(term.other_stated, term.other_judged)}</td>
    </tr>
  );
}
