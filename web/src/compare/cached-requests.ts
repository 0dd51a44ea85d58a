/** What the compare view asks the server for; kept for this visit, so that going back and forth asks nothing again. */

import { searches, slides, uploads } from "../api/endpoints";
import type { ExplainRequest, ImageInfo, QuerySlide, Report, Slide } from "../api/types";
import type { SlideSource } from "../viewer/source";

const MOST_ANSWERS = 30;

export interface ExplanationKey {
  readonly archive: string;
  readonly request: ExplainRequest;
}

export const fetchExplanation = withCache(({ archive, request }: ExplanationKey, signal) =>
  searches.explain(archive, request, signal),
);

/**
 * A slide of an archive, or an uploaded one; spacing_um_per_px: for pictures that do not say it; hasImage: null where
 * that is to be asked.
 */
export interface PictureRef {
  readonly archive: string;
  readonly slide_id: string | null;
  readonly upload_id: string | null;
  readonly spacing_um_per_px: number;
  readonly hasImage: boolean | null;
}

export function pictureOf(archive: string, slide: QuerySlide): PictureRef {
  const { slide_id, upload_id, spacing_um_per_px } = slide;
  return { archive, slide_id, upload_id, spacing_um_per_px, hasImage: null };
}

export function pictureOfResult(archive: string, slide: Slide): PictureRef {
  const { slide_id, has_image, spacing_um_per_px } = slide;
  return { archive, slide_id, upload_id: null, spacing_um_per_px, hasImage: has_image };
}

/** Tells pictures apart: the key of their sources. */
export function pictureKey(of: PictureRef): string {
  return JSON.stringify([of.archive, of.slide_id, of.upload_id]);
}

/** Where the tiles of a slide are; null when it has no picture. */
export const fetchPicture = withCache(async (of: PictureRef, signal): Promise<SlideSource | null> => {
  const image = await imageOf(of, signal);
  return image && sourceOf(of, image);
});

async function imageOf(of: PictureRef, signal: AbortSignal): Promise<ImageInfo | null> {
  if (of.upload_id !== null) return (await uploads.get(of.upload_id, signal)).image;
  if (of.slide_id === null) return null;
  const hasImage = of.hasImage ?? (await slides.get(of.archive, of.slide_id, signal)).has_image;
  return hasImage ? slides.image(of.archive, of.slide_id, signal) : null;
}

function sourceOf(of: PictureRef, image: ImageInfo): SlideSource {
  const { archive, slide_id, upload_id } = of;
  return {
    key: pictureKey(of),
    image,
    umPerPx: image.spacing_um_per_px ?? (of.spacing_um_per_px || null),
    tileUrl: (level, column, row) =>
      upload_id === null
        ? slides.tileUrl(archive, slide_id ?? "", level, column, row)
        : uploads.tileUrl(upload_id, level, column, row),
  };
}

export interface ArchivedSlide {
  readonly archive: string;
  readonly slideId: string;
}

/** A slide without a question, and its report where it has one. */
export const fetchSlideWithReport = withCache(async ({ archive, slideId }: ArchivedSlide, signal) => {
  const slide = await slides.get(archive, slideId, signal);
  const report: Report | null = slide.has_report ? await slides.report(archive, slideId, signal) : null;
  return { slide, report };
});

/** A question whose last answers are kept, the oldest going first. */
export function withCache<Key, Answer>(ask: (key: Key, signal: AbortSignal) => Promise<Answer>) {
  const answers = new Map<string, Answer>();
  return async (key: Key, signal: AbortSignal): Promise<Answer> => {
    const written = JSON.stringify(key);
    const answer = answers.has(written) ? (answers.get(written) as Answer) : await ask(key, signal);
    answers.delete(written);
    answers.set(written, answer);
    for (const oldest of [...answers.keys()].slice(0, -MOST_ANSWERS)) answers.delete(oldest);
    return answer;
  };
}
