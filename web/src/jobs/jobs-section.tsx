/** What runs, waits and has been done, the newest first. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Job } from "../api/types";
import { isOver } from "../state/job-events";
import { hrefTo } from "../state/navigation";
import { START } from "../state/route";
import { strings } from "../strings";
import { ProgressBar } from "../ui/bars";
import { Button } from "../ui/button";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { cancelJob, heard, jobList, outcomeOf, retryJob } from "./jobs";

const words = strings.work.jobs;

export function JobsSection(): JSX.Element {
  useEffect(() => jobList.reload(), []);
  const { value, loading, error } = jobList.state.value;
  const all = (value ?? []).map((job) => heard.value.get(job.job_id) ?? job).filter(({ kind }) => kind === "index");
  return (
    <section class="work-section" aria-labelledby="work-jobs">
      <h2 id="work-jobs">{words.title}</h2>
      {error && <ErrorPanel error={error} onRetry={jobList.reload} />}
      {!value && loading && <Spinner />}
      {value && !all.length && <Note>{words.none}</Note>}
      <ul class="work-jobs">
        {all.map((job) => (
          <JobItem key={job.job_id} job={job} />
        ))}
      </ul>
    </section>
  );
}

function JobItem({ job }: { job: Job }): JSX.Element {
  return (
    <li class={`work-job work-job-${job.state}`}>
      <div class="work-job-head">
        <strong>{`${words.kinds[job.kind]} ${words.to(job.archive)}`}</strong>
        <span class="work-state">{words.states[job.state]}</span>
        <span class="faint">{words.started(new Date(job.started ?? job.created).toLocaleString())}</span>
        <JobButtons job={job} />
      </div>
      {isOver(job) ? <p>{outcomeOf(job)}</p> : <JobProgress job={job} />}
      <Refused job={job} />
      {job.warnings.length > 0 && (
        <details>
          <summary>{words.warnings(job.warnings.length)}</summary>
          <ul class="work-lines">
            {job.warnings.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

function JobButtons({ job }: { job: Job }): JSX.Element {
  const mayRetry = isOver(job) && job.refused.some(({ file }) => file);
  return (
    <span class="work-job-buttons">
      {!isOver(job) && <Button onClick={() => void cancelJob(job.job_id)}>{words.cancel}</Button>}
      {mayRetry && <Button onClick={() => void retryJob(job.job_id)}>{words.retry}</Button>}
      {job.state === "done" && job.added > 0 && <a href={hrefTo({ ...START, archive: job.archive })}>{words.open}</a>}
    </span>
  );
}

function JobProgress({ job }: { job: Job }): JSX.Element {
  const share = job.total ? job.done / job.total : null;
  const parts = [
    job.state === "running" && words.progress(job.done, job.total),
    job.per_minute && words.rate(job.per_minute, job.kind === "encode" ? "tiles" : "slides"),
    job.seconds_left && words.left(job.seconds_left),
  ].filter(Boolean);
  return (
    <div class="work-progress">
      {job.state === "running" && <ProgressBar share={share} label={words.progress(job.done, job.total)} />}
      <span class="faint">{parts.join(", ")}</span>
    </div>
  );
}

function Refused({ job }: { job: Job }): JSX.Element | null {
  if (!job.refused.length) return null;
  return (
    <details open={job.refused.length <= 3}>
      <summary>{words.refused(job.refused.length)}</summary>
      <ul class="work-lines">
        {job.refused.map(({ name, reason }) => (
          <li key={name}>
            <strong>{name}</strong> <span>{reason}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
