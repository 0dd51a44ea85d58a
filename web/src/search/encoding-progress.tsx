import type { JSX } from "preact";
import { isOver } from "../state/job-events";
import { strings } from "../strings";
import { ProgressBar } from "../ui/bars";
import { encodingJobs } from "./encoding-jobs";

const words = strings.search;

/** How far the encoding of an upload is; nothing once it is done, or where it was never begun. */
export function EncodingProgress({ uploadId }: { uploadId: string }): JSX.Element | null {
  const job = encodingJobs.value.get(uploadId);
  if (!job || job.state === "done" || job.state === "cancelled") return null;
  if (isOver(job)) return <span class="search-refused">{job.error ?? words.encodingFailed}</span>;
  const text = words.encoding(job.done, job.total);
  return (
    <span class="search-progress">
      <ProgressBar share={job.total ? job.done / job.total : null} label={text} />
      <span class="faint">{text}</span>
    </span>
  );
}
