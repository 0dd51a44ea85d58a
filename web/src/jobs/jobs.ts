/** The jobs of whoever is logged in: followed while they run, whatever view is shown. */
import { effect, signal } from "@preact/signals";
import { jobs } from "../api/endpoints";
import type { Job, JobRequest } from "../api/types";
import { noteArchiveChange } from "../state/archives";
import { followJob, isOver } from "../state/job-events";
import { resource } from "../state/resource";
import { currentSession } from "../state/session";
import { orToast, toast } from "../state/toasts";
import { strings } from "../strings";

const words = strings.work.jobs;

export const jobList = resource(
  () => currentSession() && "jobs",
  (_, signal) => jobs.list(signal),
);

/** What was heard of jobs since they were listed, by id. */
export const heard = signal<ReadonlyMap<string, Job>>(new Map());

const followed = new Set<string>();

effect(() => {
  for (const job of jobList.state.value.value ?? []) if (!isOver(job)) follow(job);
});

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
  const job = await orToast(ask);
  if (!job) return false;
  hear(job);
  jobList.reload();
  return true;
}

function follow({ job_id }: Job): void {
  if (followed.has(job_id)) return;
  followed.add(job_id);
  const change = (now: Job): void => {
    hear(now);
    if (!isOver(now)) return;
    followed.delete(job_id);
    tellEnd(now);
  };
  followJob(job_id, change, () => followed.delete(job_id));
}

function hear(job: Job): void {
  heard.value = new Map(heard.peek()).set(job.job_id, job);
}

function tellEnd(job: Job): void {
  if (job.kind !== "index") return;
  toast(words.ended(job.archive, outcomeOf(job)), job.state === "failed" ? "error" : "info");
  noteArchiveChange();
}
