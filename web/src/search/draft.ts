import type { ImageQuery, Query, SlideRef } from "../api/types";

/** The ways to ask, as tabs of the search bar. */
export const MODES = ["text", "slide", "report", "composed"] as const;
export type Mode = (typeof MODES)[number];

/** What is being typed and chosen, for all modes at once, so that changing tabs loses nothing. */
export interface Draft {
  readonly text: string;
  readonly without: string;
  readonly report: string;
  /** The slide of the archive whose report is asked with, "" for a pasted one. */
  readonly reportOf: string;
  readonly image: ImageQuery | null;
  /** The id of an archived slide that is being typed, for when there is no image yet. */
  readonly like: string;
  /** The patient that an uploaded slide, a picture or words are of, who is to be left out. */
  readonly patient: string;
  /** Of the words against the image, 0 to 1. */
  readonly weight: number;
}

export const EMPTY_DRAFT: Draft = Object.freeze({
  text: "",
  without: "",
  report: "",
  reportOf: "",
  image: null,
  like: "",
  patient: "",
  weight: 0.5,
});

// As long as the server takes.
export const LONGEST_WORDS = 4000;
export const LONGEST_REPORT = 200_000;

/** The tab that a query is asked in. */
export function modeOf(query: Query): Mode {
  if (query.kind === "text" || query.kind === "report" || query.kind === "composed") return query.kind;
  return "slide";
}

/** The draft with what a query says put in; the rest stays. */
export function draftWith(draft: Draft, query: Query): Draft {
  switch (query.kind) {
    case "text":
      return { ...draft, text: query.text, without: query.without ?? "", patient: query.patient_id ?? "" };
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
        text: query.text ?? "",
        without: query.without ?? "",
        image: query.image,
        like: "",
        patient: patientOf(query.image),
        weight: query.weight ?? EMPTY_DRAFT.weight,
      };
    default:
      return { ...draft, image: query, like: "", patient: patientOf(query) };
  }
}

/** The query of a draft in a mode; null while something is missing. */
export function queryOf(draft: Draft, mode: Mode): Query | null {
  const text = draft.text.trim();
  const without = draft.without.trim();
  const image = imageOf(draft);
  switch (mode) {
    case "text":
      return text ? { kind: "text", text, ...optional("without", without), ...patientIn(draft) } : null;
    case "report":
      return reportQueryOf(draft);
    case "slide":
      return image;
    case "composed":
      if (!image || !(text || without)) return null;
      return {
        kind: "composed",
        image,
        ...optional("text", text),
        ...optional("without", without),
        weight: draft.weight,
      };
  }
}

function imageOf({ image, like, patient }: Draft): ImageQuery | null {
  if (image) return withPatient(image, patient.trim());
  const slide_id = like.trim();
  return slide_id ? { kind: "slide", slide: { slide_id } } : null;
}

function reportQueryOf(draft: Draft): Query | null {
  const slide = draft.reportOf.trim();
  if (slide) return { kind: "report", slide_id: slide };
  const text = draft.report.trim();
  return text ? { kind: "report", text, ...patientIn(draft) } : null;
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
  return { ...draft, image: uploaded ? draft.image : null, like: "", reportOf: "" };
}

/** The image query without an uploaded slide that is no longer there; null when nothing is left of it. */
export function withoutUpload(image: ImageQuery | null, uploadId: string): ImageQuery | null {
  if (!image || !slidesOf(image).some(({ upload_id }) => upload_id === uploadId)) return image;
  if (image.kind !== "case") return null;
  const slides = slidesOf(image).filter(({ upload_id }) => upload_id !== uploadId);
  return slides.length ? { ...image, slides } : null;
}
