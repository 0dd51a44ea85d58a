/** Pictures of fields: all of one size on the tissue, whatever the slide's own scale. */
import type { JSX } from "preact";
import { slides, uploads } from "../api/endpoints";
import type { QuerySlide, Region, Result } from "../api/types";
import { archiveName } from "../state/archives";
import { strings } from "../strings";
import { Picture } from "../ui/picture";

const words = strings.results;
const FIELD_PX = 224;
const SHARP = 2;

export interface FieldPictureProps {
  readonly result: Result;
  readonly field: Region | null;
  /** That of the page by default. */
  readonly archive?: string;
}

/** The field of a result, with what was found of it outlined where that is a region. */
export function FieldPicture({ result, field, archive = archiveName.value }: FieldPictureProps): JSX.Element {
  const { slide, slide_id, region, outline } = result;
  if (!slide.has_image) return <span class="results-picture">{words.noImage}</span>;
  if (!field) return <Thumbnail archive={archive} slideId={slide_id} />;
  return (
    <span class="results-picture">
      <Picture width={FIELD_PX} height={FIELD_PX} src={slides.regionUrl(archive, slide_id, field, SHARP * FIELD_PX)}>
        <span>{words.noImage}</span>
      </Picture>
      {region && (
        <svg class="results-outline" aria-hidden="true" viewBox={`0 0 ${FIELD_PX} ${FIELD_PX}`}>
          <Outline points={pointsOf(outline ?? cornersOf(region), field)} />
        </svg>
      )}
    </span>
  );
}

/** A field of the query's slide. */
export function QueryFieldPicture({ slide, field }: { slide: QuerySlide; field: Region }): JSX.Element {
  const src =
    slide.upload_id === null
      ? slides.regionUrl(archiveName.value, slide.slide_id ?? "", field, SHARP * FIELD_PX)
      : uploads.regionUrl(slide.upload_id, field, SHARP * FIELD_PX);
  return (
    <span class="results-picture">
      <Picture width={FIELD_PX} height={FIELD_PX} src={src}>
        <span>{words.noImage}</span>
      </Picture>
    </span>
  );
}

/** Of a slide whose places or scale are not known all is shown. */
function Thumbnail({ archive, slideId }: { archive: string; slideId: string }): JSX.Element {
  return (
    <span class="results-picture">
      <Picture width={FIELD_PX} height={FIELD_PX} src={slides.thumbnailUrl(archive, slideId, SHARP * FIELD_PX)}>
        <span>{words.noImage}</span>
      </Picture>
    </span>
  );
}

/** A line that is seen on any tissue. */
function Outline({ points }: { points: string }): JSX.Element {
  return (
    <>
      <polygon class="results-outline-ground" points={points} />
      <polygon points={points} />
    </>
  );
}

type Corners = readonly (readonly [x: number, y: number])[];

function cornersOf({ x, y, width, height }: Region): Corners {
  const [right, bottom] = [x + width, y + height];
  return [
    [x, y],
    [right, y],
    [right, bottom],
    [x, bottom],
  ];
}

function pointsOf(corners: Corners, field: Region): string {
  const scale = FIELD_PX / field.width;
  return corners
    .map(([x, y]) => `${((x - field.x) * scale).toFixed(1)},${((y - field.y) * scale).toFixed(1)}`)
    .join(" ");
}
