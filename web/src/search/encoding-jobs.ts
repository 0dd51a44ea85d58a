/** Uploads that are being encoded, so that a search with them can answer at once. */
import { signal } from "@preact/signals";
import { jobs, uploads } from "../api/endpoints";
import type { Job } from "../api/types";
import { followJob, isOver } from "../state/job-events";

/** The last that was heard of the encoding of each upload, by its id. */
export const encodingJobs = signal<ReadonlyMap<string, Job>>(new Map());

/** Whether an upload was encoded for an archive before: then a search with it need not wait. */
export async function isEncoded(uploadId: string, archive: string): Promise<boolean> {
  const all = await jobs.list();
  return all.some((job) => job.upload_id === uploadId && job.archive === archive && job.state === "done");
}

/** Have an upload encoded for an archive, and follow how far it is. */
export async function encode(uploadId: string, archive: string): Promise<void> {
  const job = await uploads.encode(uploadId, archive);
  hear(uploadId, job);
  if (isOver(job)) return;
  followJob(
    job.job_id,
    (now) => hear(uploadId, now),
    () => forget(uploadId),
  );
}

function hear(uploadId: string, job: Job): void {
  encodingJobs.value = new Map(encodingJobs.peek()).set(uploadId, job);
}

function forget(uploadId: string): void {
  const others = new Map(encodingJobs.peek());
  others.delete(uploadId);
  encodingJobs.value = others;
}
