/** A report to ask with: pasted, read from a file, or that of a slide of the archive. */
import type { JSX } from "preact";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { FileButton } from "../ui/file-button";
import { LONGEST_REPORT } from "./draft";
import { PatientField } from "./patient-field";
import { changeDraft, draft } from "./query-form";
import { SlideIdField } from "./slide-id-field";

const words = strings.search;

/** Take the text of a file into the draft; the file itself is not sent. */
export async function readReport(file: File): Promise<void> {
  const text = await file.text();
  if (text.includes("\0")) return toast(words.reportNotText(file.name), "error");
  if (text.length > LONGEST_REPORT) return toast(words.reportTooLong(file.name), "error");
  changeDraft({ report: text, reportOf: "" });
}

export function ReportPanel(): JSX.Element {
  const { report, reportOf } = draft.value;
  return (
    <>
      <textarea
        class="input search-report"
        data-search-field
        rows={report ? 4 : 1}
        maxLength={LONGEST_REPORT}
        aria-label={words.report}
        placeholder={words.reportHint}
        value={report}
        disabled={reportOf !== ""}
        onInput={(event) => changeDraft({ report: event.currentTarget.value })}
      />
      <FileButton
        icon="report"
        label={words.reportFile}
        accept=".txt,text/plain"
        onFile={(file) => void readReport(file)}
      />
      <span class="search-or">{words.or}</span>
      <SlideIdField
        label={words.reportOf}
        placeholder={words.reportOfHint}
        value={reportOf}
        onInput={(value) => changeDraft({ reportOf: value })}
      />
      {reportOf === "" && report !== "" && <PatientField />}
    </>
  );
}
