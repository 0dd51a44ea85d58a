/** The table of a worklist: a row for each slide, which leads to its results. */
import type { JSX } from "preact";
import { worklists } from "../api/endpoints";
import type { Worklist, WorklistRow } from "../api/types";
import { isOver } from "../state/job-events";
import { hrefTo, NEW_QUESTION } from "../state/navigation";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { Icon } from "../ui/icons";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { Exports, Progress, useLooks } from "./progress";

const words = strings.worklists;
const NOT_FOUND = 404;

export function WorklistTable({ worklistId }: { worklistId: string }): JSX.Element {
  const { value, error, reload } = useResource(worklistId, worklists.get);
  useLooks(value !== null && !isOver(value), reload);
  return (
    <>
      <p>
        <a href={hrefTo({ shown: {} })}>{words.all}</a>
      </p>
      {error?.status === NOT_FOUND && <Note kind="warning">{words.gone}</Note>}
      {error && error.status !== NOT_FOUND && <ErrorPanel error={error} onRetry={reload} />}
      {!value && !error && <Spinner />}
      {value && <Table worklist={value} />}
    </>
  );
}

function Table({ worklist }: { worklist: Worklist }): JSX.Element {
  const { name, archive, rows, vote, worklist_id } = worklist;
  const withPhrases = rows.some(({ phrases }) => phrases.length > 0);
  const withLabels = rows.some(({ label }) => label !== null);
  const columns = [
    words.slide,
    ...(withLabels ? [words.likely(vote)] : []),
    words.agreement,
    words.nearest,
    ...(withPhrases ? [words.phrases] : []),
  ];
  return (
    <>
      <header class="worklists-head">
        <div>
          <h3>{name}</h3>
          <p class="faint">{archive}</p>
        </div>
        <Progress worklist={worklist} />
        <div class="worklists-tools screen-only">
          <Exports worklistId={worklist_id} />
        </div>
      </header>
      <div class="table-room" aria-busy={!isOver(worklist)}>
        <table class="table table-stacked worklists-table">
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, at) => (
              <Slide
                key={at}
                archive={archive}
                vote={vote}
                row={row}
                withLabels={withLabels}
                withPhrases={withPhrases}
              />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

interface SlideProps {
  readonly archive: string;
  /** The column that is voted on. */
  readonly vote: Worklist["vote"];
  readonly row: WorklistRow;
  readonly withLabels: boolean;
  readonly withPhrases: boolean;
}

function Slide({ archive, vote, row, withLabels, withPhrases }: SlideProps): JSX.Element {
  const slide = row.slide_id ? { slide_id: row.slide_id } : { upload_id: row.upload_id };
  const ask = { ...NEW_QUESTION, archive, query: { kind: "slide", slide } as const, shown: {} };
  return (
    <tr>
      <th scope="row">
        <a href={hrefTo(ask)}>{row.title}</a>
        {row.unlike && (
          <span class="worklists-unlike">
            <Icon name="warning" />
            {words.unlike}
          </span>
        )}
      </th>
      {row.error || !row.done ? (
        <td colSpan={2 + Number(withLabels) + Number(withPhrases)} class={row.error ? undefined : "faint"}>
          {row.error ?? words.waits}
        </td>
      ) : (
        <Found vote={vote} row={row} ask={ask} withLabels={withLabels} withPhrases={withPhrases} />
      )}
    </tr>
  );
}

function Found({
  vote,
  row,
  ask,
  withLabels,
  withPhrases,
}: Omit<SlideProps, "archive"> & { ask: Parameters<typeof hrefTo>[0] }): JSX.Element {
  return (
    <>
      {withLabels && (
        <td data-label={words.likely(vote)}>
          {row.label && `${row.label} ${words.probability(row.probability ?? 0)}`}
        </td>
      )}
      <td data-label={words.agreement}>{row.agreement}</td>
      <td data-label={words.nearest}>
        <ol class="worklists-nearest">
          {row.nearest.map(({ slide_id, title, label }) => (
            <li key={slide_id}>
              <a href={hrefTo({ ...ask, view: "compare", selected: slide_id })}>{title}</a>
              {label && <span>{` ${label}`}</span>}
            </li>
          ))}
        </ol>
      </td>
      {withPhrases && <td data-label={words.phrases}>{row.phrases.join(", ")}</td>}
    </>
  );
}
