/** Ways to a slide's patient and case. */
import type { JSX } from "preact";
import type { Slide } from "../api/types";
import { hrefTo } from "../state/navigation";
import { strings } from "../strings";

const words = strings.cases;

export function patientHref(patientId: string): string {
  return hrefTo({ view: "case", selected: null, shown: { patient: patientId } });
}

export function caseHref(caseId: string): string {
  return hrefTo({ view: "case", selected: null, shown: { case: caseId } });
}

/** Links to the patient and the case of a slide, as far as they are known. */
export function CaseLinks({ slide }: { slide: Pick<Slide, "case_id" | "patient_id"> }): JSX.Element | null {
  const { case_id, patient_id } = slide;
  if (!case_id && !patient_id) return null;
  return (
    <span class="browse-links">
      {patient_id && <a href={patientHref(patient_id)}>{words.patient(patient_id)}</a>}
      {patient_id && case_id && " · "}
      {case_id && <a href={caseHref(case_id)}>{words.case(case_id)}</a>}
    </span>
  );
}
