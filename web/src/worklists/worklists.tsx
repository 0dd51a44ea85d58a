/** Worklists: their list, or the table of the one that is open. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { WorklistInfo } from "../api/types";
import { isOver } from "../state/job-events";
import { hrefTo, route } from "../state/navigation";
import { strings } from "../strings";
import { IconButton } from "../ui/button";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { Progress, useLooks } from "./progress";
import { OPEN, removeWorklist, worklistList } from "./store";
import { WorklistTable } from "./worklist-table";
import "./worklists.css";

const words = strings.worklists;

export function Worklists(): JSX.Element {
  const open = route.value.shown[OPEN];
  return (
    <section aria-labelledby="worklists-title">
      <h2 id="worklists-title">{words.title}</h2>
      {open ? <WorklistTable key={open} worklistId={open} /> : <List />}
    </section>
  );
}

function List(): JSX.Element {
  const { value, error, loading } = worklistList.state.value;
  useEffect(() => worklistList.reload(), []);
  useLooks(value?.some((one) => !isOver(one)) ?? false, worklistList.reload);
  return (
    <>
      <p class="faint">{words.explain}</p>
      {error && <ErrorPanel error={error} onRetry={worklistList.reload} />}
      {!value && loading && <Spinner />}
      {value?.length === 0 && <Note>{words.none}</Note>}
      <ul class="row-list">
        {value?.map((worklist) => (
          <Row key={worklist.worklist_id} worklist={worklist} />
        ))}
      </ul>
    </>
  );
}

function Row({ worklist }: { worklist: WorklistInfo }): JSX.Element {
  const { worklist_id, name, archive, created } = worklist;
  return (
    <li class="row">
      <div class="row-what">
        <h3>
          <a href={hrefTo({ archive, shown: { [OPEN]: worklist_id } })}>{name}</a>
        </h3>
        <p class="faint">{words.facts(archive, new Date(created).toLocaleString())}</p>
      </div>
      <Progress worklist={worklist} />
      <IconButton icon="trash" label={words.remove(name)} onClick={() => void removeWorklist(worklist)} />
    </li>
  );
}
