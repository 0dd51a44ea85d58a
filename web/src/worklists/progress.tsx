/** How far worklists are, and what can be taken away of them. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { worklists } from "../api/endpoints";
import type { WorklistInfo } from "../api/types";
import { downloadFrom } from "../export/download";
import { isOver } from "../state/job-events";
import { strings } from "../strings";
import { ProgressBar } from "../ui/bars";
import { Button } from "../ui/button";

const words = strings.worklists;
const LOOKS_EVERY_MS = 1500;

/** Ask again, now and then, while more is to come. */
export function useLooks(going: boolean, reload: () => void): void {
  useEffect(() => {
    if (!going) return undefined;
    const timer = setInterval(reload, LOOKS_EVERY_MS);
    return () => clearInterval(timer);
  }, [going]);
}

/** How far a worklist is. */
export function Progress({ worklist }: { worklist: WorklistInfo }): JSX.Element {
  const { state, done, total, error } = worklist;
  return (
    <span class="worklists-progress">
      {!isOver(worklist) && <ProgressBar share={done / total} label={words.states[state]} />}
      <span>{error ?? words.states[state]}</span>
      <span class="faint">{words.progress(done, total)}</span>
    </span>
  );
}

/** Take a worklist away as a file. */
export function Exports({ worklistId }: { worklistId: string }): JSX.Element {
  return (
    <>
      {(["csv", "json"] as const).map((format) => (
        <Button key={format} icon="download" onClick={() => downloadFrom(worklists.exportUrl(worklistId, format))}>
          {words[format]}
        </Button>
      ))}
    </>
  );
}
