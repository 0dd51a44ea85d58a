/** Uploads that are being encoded, so that a search with them can answer at once. */
import { signal } from "@preact/signals";
import { path, request } from "../api/client";
import { jobs } from "../api/endpoints";
import type { Job } from "../api/types";

/** The last that was heard of the encoding of each upload, by its id. */
export const encodingJobs = signal<ReadonlyMap<string, Job>>(new Map());

const OVER: readonly Job["state"][] = ["done", "failed", "cancelled"];

/** Whether a job has come to its end, good or bad. */
export function isFinished(job: Job): boolean {
  return OVER.includes(job.state);
}

/** Whether an upload was encoded for an archive before: then a search with it need not wait. */
export async function isEncoded(uploadId: string, archive: string): Promise<boolean> {
  const all = await jobs.list();
  return all.some((job) => job.upload_id === uploadId && job.archive === archive && job.state === "done");
}

/** Have an upload encoded for an archive, and follow how far it is. */
export async function encode(uploadId: string, archive: string): Promise<void> {
  const job = await request<Job>("POST", path`uploads/${uploadId}/encode`, { body: { archive } });
  hear(uploadId, job);
  if (!isFinished(job)) follow(uploadId, job);
}

function follow(uploadId: string, { job_id }: Job): void {
  const events = new EventSource(jobs.eventsUrl(job_id));
  const listen = (event: MessageEvent<string>): void => {
    const job = JSON.parse(event.data) as Job;
    hear(uploadId, job);
    if (isFinished(job)) events.close();
  };
  events.addEventListener("message", listen);
  events.addEventListener("job", listen);
  // The browser tries again by itself unless the server refused.
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) forget(uploadId);
  });
}

function hear(uploadId: string, job: Job): void {
  encodingJobs.value = new Map(encodingJobs.peek()).set(uploadId, job);
}

function forget(uploadId: string): void {
  const others = new Map(encodingJobs.peek());
  others.delete(uploadId);
  encodingJobs.value = others;
}
