/** The events of a job, as the server tells them. */
import { jobs } from "../api/endpoints";
import type { Job } from "../api/types";

/** Whether a job has come to its end, good or bad. */
export function isOver({ state }: Pick<Job, "state">): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** Tell of a job whenever it changes, until it is over; onLost: the server tells no more. */
export function followJob(jobId: string, onChange: (job: Job) => void, onLost: () => void): void {
  const events = new EventSource(jobs.eventsUrl(jobId));
  events.addEventListener("job", (event: MessageEvent<string>) => {
    const job = JSON.parse(event.data) as Job;
    if (isOver(job)) events.close();
    onChange(job);
  });
  // The browser tries again by itself unless the server refused.
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) onLost();
  });
}
