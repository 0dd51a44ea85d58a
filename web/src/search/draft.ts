import type { ImageQuery, Query, SlideRef } from "../api/types";

/** What is to be asked with, as far as it was given. */
export interface Draft {
  /** What is typed in the field. */
  readonly text: string;
  /** A pasted report, "" for none. */
  readonly report: string;
  /** The slide of the archive whose report is asked with, "" for none. */
  readonly reportOf: string;
  readonly image: ImageQuery | null;
  /** The patient that an uploaded slide, a picture or words are of, who is to be left out. */
  readonly patient: string;
  /** Of the words against the image, 0 to 1. */
  readonly weight: number;
}

export const EMPTY_DRAFT: Draft = Object.freeze({
  text: "",
  report: "",
  reportOf: "",
  image: null,
  patient: "",
  weight: 0.5,
});

/** As long as the server takes. */
export const LONGEST_REPORT = 200_000;

const WITHOUT = " without ";

/** Words that are wanted and those that are not, as they are typed. */
export function typedText(query: { text?: string | null; without?: string | null }): string {
  return `${query.text ?? ""}${query.without ? WITHOUT + query.without : ""}`.trim();
}

/** The draft of a query; the patient and the weight stay where the query does not say them. */
export function draftOf(query: Query | null, before: Draft): Draft {
  const draft = { ...EMPTY_DRAFT, weight: before.weight };
  if (!query) return draft;
  switch (query.kind) {
    case "text":
      return { ...draft, text: typedText(query), patient: query.patient_id ?? "" };
    case "report":
      return {
        ...draft,
        report: query.text ?? "",
        reportOf: query.slide_id ?? "",
        patient: query.patient_id ?? "",
      };
    case "composed":
      return {
        ...draft,
        text: typedText(query),
        image: query.image,
        patient: patientOf(query.image),
        weight: query.weight ?? before.weight,
      };
    default:
      return { ...draft, image: query, patient: patientOf(query) };
  }
}

/** Words to search for, and what is not wanted. */
export interface Words {
  readonly text: string;
  readonly without: string;
}

/** The query of what is drafted beside what the typed text was understood as; null where there is nothing to ask. */
export function queryOf(draft: Draft, words: Words): Query | null {
  const { image, report, reportOf } = draft;
  if (image) return imageQueryOf(withPatient(image, draft.patient.trim()), words, draft.weight);
  if (reportOf) return { kind: "report", slide_id: reportOf };
  if (report) return { kind: "report", text: [report, words.text].filter(Boolean).join("\n"), ...patientIn(draft) };
  return words.text
    ? { kind: "text", text: words.text, ...optional("without", words.without), ...patientIn(draft) }
    : null;
}

function imageQueryOf(image: ImageQuery, { text, without }: Words, weight: number): Query {
  if (!text && !without) return image;
  return { kind: "composed", image, ...optional("text", text), ...optional("without", without), weight };
}

function optional<Name extends string>(name: Name, value: string): { [key in Name]?: string } {
  return (value ? { [name]: value } : {}) as { [key in Name]?: string };
}

function patientIn(draft: Draft): { patient_id?: string } {
  return optional("patient_id", draft.patient.trim());
}

/** The slides that an image query is of. */
export function slidesOf(image: ImageQuery): readonly SlideRef[] {
  if (image.kind === "picture") return [{ upload_id: image.upload_id }];
  return image.kind === "case" ? (image.slides ?? []) : [image.slide];
}

/** Whether the archive does not know the patient of an image, so that it can be named. */
export function takesPatient(image: ImageQuery): boolean {
  return slidesOf(image).some(({ upload_id }) => Boolean(upload_id));
}

/** The patient who was named for an image, "" for none. */
export function patientOf(image: ImageQuery): string {
  if (image.kind === "picture") return image.patient_id ?? "";
  return slidesOf(image).find(({ patient_id }) => patient_id)?.patient_id ?? "";
}

/** The image query with the patient of its uploaded slides named; archived slides have theirs. */
export function withPatient(image: ImageQuery, patient: string): ImageQuery {
  const named = optional("patient_id", patient);
  const of = ({ slide_id, upload_id }: SlideRef): SlideRef => (upload_id ? { upload_id, ...named } : { slide_id });
  switch (image.kind) {
    case "picture": {
      const { patient_id: _, ...rest } = image;
      return { ...rest, ...named };
    }
    case "case":
      return image.slides?.length ? { ...image, slides: image.slides.map(of) } : image;
    default:
      return { ...image, slide: of(image.slide) };
  }
}

/** The draft without slides of an archive, for when another archive is asked. */
export function withoutArchived(draft: Draft): Draft {
  const uploaded =
    draft.image && slidesOf(draft.image).length > 0 && slidesOf(draft.image).every((ref) => ref.upload_id);
  return { ...draft, image: uploaded ? draft.image : null, reportOf: "" };
}

/** The image query without an uploaded slide that is no longer there; null when nothing is left of it. */
export function withoutUpload(image: ImageQuery | null, uploadId: string): ImageQuery | null {
  if (!image || !slidesOf(image).some(({ upload_id }) => upload_id === uploadId)) return image;
  if (image.kind !== "case") return null;
  const slides = slidesOf(image).filter(({ upload_id }) => upload_id !== uploadId);
  return slides.length ? { ...image, slides } : null;
}
