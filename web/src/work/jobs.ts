/** The jobs of whoever is logged in: followed while they run, whatever view is shown. */
import { effect, signal } from "@preact/signals";
import { jobs } from "../api/endpoints";
import { asApiError } from "../api/error";
import type { Job, JobRequest } from "../api/types";
import { noteArchiveChange } from "../state/archives";
import { resource } from "../state/resource";
import { currentSession } from "../state/session";
import { toast } from "../state/toasts";
import { strings } from "../strings";

const words = strings.work.jobs;

export const jobList = resource(
  () => currentSession() && "jobs",
  (_, signal) => jobs.list(signal),
);

/** What was heard of jobs since they were listed, by id. */
export const heard = signal<ReadonlyMap<string, Job>>(new Map());

const followed = new Map<string, EventSource>();

effect(() => {
  for (const job of jobList.state.value.value ?? []) if (!isOver(job)) follow(job);
});

export function isOver({ state }: Job): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** Add slides to an archive; whether the job was taken. */
export function startJob(archive: string, body: JobRequest): Promise<boolean> {
  return listAfter(() => jobs.index(archive, body));
}

export function cancelJob(jobId: string): Promise<boolean> {
  return listAfter(() => jobs.cancel(jobId));
}

export function retryJob(jobId: string): Promise<boolean> {
  return listAfter(() => jobs.retry(jobId));
}

/** What a job did, in words. */
export function outcomeOf(job: Job): string {
  if (job.error) return job.error;
  return words.outcome(job.added, job.updated, job.unchanged, job.refused.length);
}

async function listAfter(ask: () => Promise<Job>): Promise<boolean> {
  try {
    hear(await ask());
    jobList.reload();
    return true;
  } catch (error) {
    toast(asApiError(error).message, "error");
    return false;
  }
}

function follow(job: Job): void {
  if (followed.has(job.job_id)) return;
  const events = new EventSource(jobs.eventsUrl(job.job_id));
  followed.set(job.job_id, events);
  const end = (): void => {
    events.close();
    followed.delete(job.job_id);
  };
  events.addEventListener("job", (event: MessageEvent<string>) => {
    const now = JSON.parse(event.data) as Job;
    hear(now);
    if (!isOver(now)) return;
    end();
    tellEnd(now);
  });
  // The browser tries again by itself unless the server refused.
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) end();
  });
}

function hear(job: Job): void {
  heard.value = new Map(heard.peek()).set(job.job_id, job);
}

function tellEnd(job: Job): void {
  if (job.kind !== "index") return;
  toast(words.ended(job.archive, outcomeOf(job)), job.state === "failed" ? "error" : "info");
  noteArchiveChange();
}
