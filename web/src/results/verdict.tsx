/** What the results say of the query, and whether it belongs here at all. */
import type { JSX } from "preact";
import type { LabelDistribution, SearchResponse, Vote } from "../api/types";
import { changeSettings } from "../search/query-form";
import { archive } from "../state/archives";
import { labelColumns, usualVote } from "../state/label-columns";
import { route } from "../state/navigation";
import { strings } from "../strings";
import { ShareBar } from "../ui/bars";
import { Field } from "../ui/field";
import { Note } from "../ui/status";

const words = strings.results.vote;
const MOST_LABELS = 5;

/** What the results say of the query, in a sentence; the shares behind it on demand. */
export function Verdict({ response }: { response: SearchResponse }): JSX.Element {
  const { labels, vote, unlike, novelty, false_alarms } = response;
  return (
    <section aria-label={words.title}>
      {unlike && <Unlike novelty={novelty} falseAlarms={false_alarms} />}
      {vote && <p class="results-sentence">{vote.sentence}</p>}
      <details>
        <summary>{words.shares}</summary>
        <ColumnChoice />
        <div class="results-shares">
          {labels && <Labels labels={labels} />}
          {vote && <Tallies vote={vote} />}
        </div>
        {!unlike && novelty !== null && <p>{words.novelty(Math.round(novelty * 100))}</p>}
      </details>
    </section>
  );
}

function Unlike(props: { novelty: number | null; falseAlarms: number | null }): JSX.Element {
  const { novelty, falseAlarms } = props;
  return (
    <Note kind="warning">
      <strong>{words.unlike}</strong>
      <p>{words.unlikeWhy}</p>
      {novelty !== null && <p>{words.novelty(Math.round(novelty * 100))}</p>}
      {falseAlarms !== null && <p>{words.falseAlarms(Number((falseAlarms * 100).toPrecision(2)))}</p>}
    </Note>
  );
}

/** How probable each label is to be the query's, and none of them. */
function Labels({ labels }: { labels: LabelDistribution }): JSX.Element {
  const { column, patients, shares, none } = labels;
  const others = shares.slice(MOST_LABELS).reduce((sum, one) => sum + one.share, labels.others);
  return (
    <section class="results-labels">
      <h2>{words.labels(column)}</h2>
      <p class="faint">{words.labelsBy(patients)}</p>
      <ul>
        {shares.slice(0, MOST_LABELS).map((one) => (
          <Likely key={one.label} name={one.label} share={one.share} />
        ))}
        {others > 0 && <Likely name={words.otherLabels} share={others} />}
        <Likely name={words.noneOfThese} share={none} />
      </ul>
    </section>
  );
}

function Likely({ name, share }: { name: string; share: number }): JSX.Element {
  const said = strings.probability.short(share);
  return (
    <li>
      <span class="results-label">{name}</span>
      <ShareBar share={share} label={`${name}, ${said}`}>
        {said}
      </ShareBar>
    </li>
  );
}

function ColumnChoice(): JSX.Element {
  const columns = labelColumns(archive.value?.fields ?? []);
  const usual = archive.value ? usualVote(archive.value) : null;
  return (
    <div class="screen-only">
      <Field label={words.column}>
        {(id) => (
          <select
            id={id}
            class="select"
            value={route.value.settings.vote ?? usual ?? ""}
            onChange={(event) => changeSettings({ vote: event.currentTarget.value })}
          >
            <option value="">{words.nothing}</option>
            {columns.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Field>
    </div>
  );
}

function Tallies({ vote }: { vote: Vote }): JSX.Element {
  const { majority, patients, unlabelled } = vote;
  const rest = majority.shares.length - MOST_LABELS;
  return (
    <section class="results-labels">
      <h2>{words.majority}</h2>
      <p class="faint">{words.voters(patients)}</p>
      {unlabelled > 0 && <p class="faint">{words.unlabelled(unlabelled)}</p>}
      <ul>
        {majority.shares.slice(0, MOST_LABELS).map((one) => (
          <li key={one.label}>
            <span class="results-label">{one.label}</span>
            <ShareBar share={one.share} label={words.winner(one.label, Math.round(one.share * 100))}>
              {words.percent(Math.round(one.share * 100))}
            </ShareBar>
          </li>
        ))}
        {rest > 0 && <li class="faint">{words.rest(rest)}</li>}
      </ul>
    </section>
  );
}
