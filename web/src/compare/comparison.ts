/** What is compared: the slide of the address, and the slide asked with. */

import type { ExplainResponse, ImageQuery, Query, QueryEcho, QuerySlide, Result, SlideRef } from "../api/types";

/** A result and what it is the answer to. */
export interface Comparison {
  readonly query: QueryEcho;
  readonly result: Result;
  readonly calibratedFor: string | null;
}

/** The slide asked with that the result is nearest to; null for words. */
export function querySlide({ query, result }: Pick<Comparison, "query" | "result">): QuerySlide | null {
  return query.slides[result.query_slide] ?? query.slides[0] ?? null;
}

/** How to ask with a slide again, its patient named as it was. */
export function slideRef(slide: QuerySlide, query: Query | null): SlideRef {
  if (slide.slide_id !== null) return { slide_id: slide.slide_id };
  const patient = patientsOf(query).get(slide.upload_id ?? "");
  return { upload_id: slide.upload_id, ...(patient ? { patient_id: patient } : {}) };
}

/** The answer for a slide, unless it came for another one. */
export function explanationFor(slideId: string | null, answer: ExplainResponse | null): ExplainResponse | null {
  return answer?.result.slide_id === slideId ? answer : null;
}

/** The result of a list with what its explanation adds to it; either alone where the other is missing. */
export function mergeResults(listed: Result | null, explained: Result | null): Result | null {
  if (!listed || !explained) return listed ?? explained;
  return {
    ...listed,
    matches: listed.matches.length ? listed.matches : explained.matches,
    explanation: listed.explanation ?? explained.explanation,
    phrases: listed.phrases.length ? listed.phrases : explained.phrases,
    text_regions: listed.text_regions.length ? listed.text_regions : explained.text_regions,
    report_text: listed.report_text ?? explained.report_text,
  };
}

function patientsOf(query: Query | null): Map<string, string> {
  const image = query?.kind === "composed" ? query.image : query;
  const refs = image && isImage(image) ? refsOf(image) : [];
  return new Map(
    refs.flatMap(({ upload_id, patient_id }) => (upload_id && patient_id ? [[upload_id, patient_id]] : [])),
  );
}

function isImage(query: Query): query is ImageQuery {
  return query.kind !== "text" && query.kind !== "report" && query.kind !== "composed";
}

function refsOf(query: ImageQuery): readonly SlideRef[] {
  switch (query.kind) {
    case "case":
      return query.slides ?? [];
    case "picture":
      return [{ upload_id: query.upload_id, patient_id: query.patient_id ?? null }];
    default:
      return [query.slide];
  }
}
