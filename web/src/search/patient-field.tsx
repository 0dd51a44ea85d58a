import type { JSX } from "preact";
import { strings } from "../strings";
import { Field } from "../ui/field";
import { changeDraft, draft } from "./query-form";

/** The patient of what is asked with, whose slides are to be left out. */
export function PatientField(): JSX.Element {
  return (
    <Field label={strings.search.patient}>
      {(id) => (
        <input
          id={id}
          class="input"
          type="text"
          autocomplete="off"
          maxLength={200}
          placeholder={strings.search.patientHint}
          value={draft.value.patient}
          onInput={(event) => changeDraft({ patient: event.currentTarget.value })}
        />
      )}
    </Field>
  );
}
