/** The differential: what was asked with at the left, and beside it a column a diagnosis. */
import type { JSX } from "preact";
import type { DifferentialColumn, DifferentialResponse } from "../api/types";
import { archiveName } from "../state/archives";
import { hrefTo, route, show } from "../state/navigation";
import { describeQuestion } from "../state/query-descriptions";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { Icon } from "../ui/icons";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { DiagnosisColumn } from "./diagnosis-column";
import { AddDiagnosis } from "./diagnosis-picker";
import { FEWEST_COLUMNS, MOST_COLUMNS, replaceLabel, writeLabels } from "./labels";
import { QueryPane } from "./query-pane";
import { differentialRequestOf, fetchBoard, fetchLabels } from "./requests";
import "./board.css";

const words = strings.board;

export function BoardView(): JSX.Element {
  const request = differentialRequestOf(route.value);
  const { value, loading, error, reload } = useResource(request && { archive: archiveName.value, request }, fetchBoard);
  if (!request) {
    return (
      <div class="view-page">
        <h1>{words.title}</h1>
        <Note>{words.nothing}</Note>
      </div>
    );
  }
  return (
    <div class="board" aria-busy={loading}>
      <header class="board-head">
        <a class="board-back screen-only" href={hrefTo({ view: "results", selected: null })}>
          <Icon name="left" /> {words.back}
        </a>
        <h1>{value ? words.heading(describeQuestion(request.query, value.query)) : words.title}</h1>
      </header>
      {error && <ErrorPanel error={error} onRetry={reload} />}
      {!value && loading && <Spinner />}
      {value && <Board board={value} loading={loading} />}
    </div>
  );
}

function Board({ board, loading }: { board: DifferentialResponse; loading: boolean }): JSX.Element {
  const { column, columns, warnings } = board;
  const known = useResource({ archive: archiveName.value, column }, fetchLabels).value ?? [];
  const labels = columns.map(({ label }) => label);
  const free = known.filter((label) => !labels.includes(label));
  const put = (next: readonly string[]): void => show("labels", writeLabels(next));
  return (
    <div class="board-body">
      <QueryPane query={board.query} />
      <div class={loading ? "board-columns board-stale" : "board-columns"}>
        {warnings.map((warning) => (
          <Note key={warning}>{warning}</Note>
        ))}
        <p class="faint board-explain">{words.explain(fieldUmOf(columns))}</p>
        {columns.map((one) => (
          <DiagnosisColumn
            key={one.label}
            column={one}
            calibratedFor={column}
            free={free}
            onReplace={(label) => put(replaceLabel(labels, one.label, label))}
            onRemove={columns.length > FEWEST_COLUMNS ? () => put(labels.filter((label) => label !== one.label)) : null}
          />
        ))}
        {columns.length < MOST_COLUMNS && free.length > 0 && (
          <AddDiagnosis free={free} onAdd={(label) => put([...labels, label])} />
        )}
      </div>
    </div>
  );
}

/** The edge in um that all fields have; null where they differ, or there are none. */
function fieldUmOf(columns: readonly DifferentialColumn[]): number | null {
  const sizes = columns.flatMap(({ nearest }) =>
    nearest.flatMap(({ field, slide }) => (field ? [Math.round(field.width * slide.spacing_um_per_px)] : [])),
  );
  const [first] = sizes;
  return first !== undefined && sizes.every((size) => Math.abs(size - first) <= 1) ? first : null;
}
