import type { JSX } from "preact";
import { strings } from "../strings";
import { changeDraft, draft } from "./query-form";

/** The patient of what is asked with, whose slides are to be left out. */
export function PatientField(): JSX.Element {
  return (
    <input
      class="input search-patient"
      type="text"
      autocomplete="off"
      maxLength={200}
      aria-label={strings.search.patient}
      placeholder={strings.search.patientHint}
      title={strings.search.patient}
      value={draft.value.patient}
      onInput={(event) => changeDraft({ patient: event.currentTarget.value })}
    />
  );
}
