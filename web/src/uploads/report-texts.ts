/** Reports that came with slides, by the ids of the uploads: without identifiers, kept until this tab is closed. */
import { effect, signal } from "@preact/signals";
import { keepList, OURS, recallList } from "../state/tab-storage";

export interface ReportText {
  readonly name: string;
  readonly text: string;
}

const KEY = `${OURS}reports`;

export const reportTexts = signal<ReadonlyMap<string, ReportText>>(
  new Map(recallList<[string, ReportText]>(KEY).filter(Array.isArray)),
);

effect(() => keepList(KEY, [...reportTexts.value]));

/** Attach a text to an upload, after those that it has. */
export function attachReport(uploadId: string, report: ReportText): void {
  const known = reportTexts.peek().get(uploadId);
  const whole = known ? { name: known.name, text: `${known.text}\n\n${report.text}` } : report;
  reportTexts.value = new Map(reportTexts.peek()).set(uploadId, whole);
}

/** Forget the texts of an upload. */
export function detachReports(uploadId: string): void {
  const others = new Map(reportTexts.peek());
  if (others.delete(uploadId)) reportTexts.value = others;
}
