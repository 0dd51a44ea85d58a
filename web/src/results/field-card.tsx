/** A region that was found, as a field: a picture of it and what is around it, at the scale of all the others. */
import type { JSX } from "preact";
import type { Region, Result } from "../api/types";
import { fetchPicture, pictureOfResult } from "../compare/cached-requests";
import { archiveName } from "../state/archives";
import { hrefTo, route } from "../state/navigation";
import { selectionOf } from "../state/region-key";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { fieldAround, fieldSizeUm, inField, tilesOf } from "../viewer/field";
import { areaText, lengthText } from "../viewer/lengths";
import type { SlideSource } from "../viewer/source";
import type { Rect } from "../viewer/view";
import { channelsText } from "./channels";

const words = strings.results;
const FIELD_PX = 224;

/** The edge of all fields of a list in um; null where no region has a place and a scale. */
export function fieldSizeOf(results: readonly Result[]): number | null {
  const longest = results.flatMap(({ region, slide }) =>
    region && slide.spacing_um_per_px ? [Math.max(region.width, region.height) * slide.spacing_um_per_px] : [],
  );
  return longest.length ? fieldSizeUm(longest) : null;
}

/** The size that all fields of a list have, in words. */
export function FieldSize({ sizeUm }: { sizeUm: number | null }): JSX.Element | null {
  return sizeUm === null ? null : <p class="faint">{words.fieldSize(lengthText(sizeUm))}</p>;
}

export function FieldCard({ result, sizeUm }: { result: Result; sizeUm: number | null }): JSX.Element {
  const { slide, slide_id, rank, region = null, score } = result;
  const href = hrefTo({ view: "compare", ...selectionOf(route.value, slide_id, region) });
  const size = region && sizeText(region, slide.spacing_um_per_px);
  return (
    <li class="results-field" data-slide={slide_id}>
      <Field result={result} sizeUm={sizeUm} />
      <h2>
        <span class="results-rank">{rank}</span>{" "}
        <a data-result href={href} aria-label={words.openRegion(slide.diagnosis, slide_id, rank, size)}>
          {slide.diagnosis ?? slide_id}
        </a>
      </h2>
      <p class="results-ids">
        {slide.diagnosis !== null && <code>{slide_id}</code>}
        {size && <span>{size}</span>}
      </p>
      <p class="results-ways" title={words.scoreWhat}>
        {words.score} {words.figure(score)} <span class="faint">{channelsText(result)}</span>
      </p>
    </li>
  );
}

function sizeText(region: Region, umPerPx: number): string {
  if (!umPerPx) return strings.viewer.sizePx(region.width, region.height);
  return areaText(region.width * umPerPx, region.height * umPerPx);
}

function Field({ result, sizeUm }: { result: Result; sizeUm: number | null }): JSX.Element {
  const { slide, region = null } = result;
  const { value, loading } = useResource(
    slide.has_image && region ? pictureOfResult(archiveName.value, slide) : null,
    fetchPicture,
  );
  if (!region || !slide.has_image) return <span class="results-picture">{region ? words.noImage : words.noPlace}</span>;
  const edge = sizeUm && slide.spacing_um_per_px ? sizeUm / slide.spacing_um_per_px : 0;
  const field = fieldAround(region, edge || Math.max(region.width, region.height) * 1.5);
  return (
    <span class="results-picture" aria-hidden="true" aria-busy={loading}>
      {value && <Tiles source={value} field={field} />}
      <svg class="results-outline" aria-hidden="true" viewBox={`0 0 ${FIELD_PX} ${FIELD_PX}`}>
        <Outline points={pointsOf(result.outline ?? cornersOf(region), field)} />
      </svg>
    </span>
  );
}

function Tiles({ source, field }: { source: SlideSource; field: Rect }): JSX.Element {
  return (
    <>
      {tilesOf(source.image, field, FIELD_PX, devicePixelRatio).map(({ level, column, row, ...rect }) => (
        <img
          key={`${level} ${column} ${row}`}
          src={source.tileUrl(level, column, row)}
          style={placed(rect)}
          alt=""
          loading="lazy"
          draggable={false}
        />
      ))}
    </>
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

function cornersOf({ x, y, width, height }: Rect): Corners {
  const [right, bottom] = [x + width, y + height];
  return [
    [x, y],
    [right, y],
    [right, bottom],
    [x, bottom],
  ];
}

function pointsOf(corners: Corners, field: Rect): string {
  const placed = corners.map(([x, y]) => inField(field, { x, y, width: 0, height: 0 }, FIELD_PX));
  return placed.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
}

/** In shares of the field, so that it can be shown at any size. */
function placed({ x, y, width, height }: Rect): Record<string, string> {
  const percent = (px: number): string => `${((100 * px) / FIELD_PX).toFixed(3)}%`;
  return { left: percent(x), top: percent(y), width: percent(width), height: percent(height) };
}
