/** A result as the field that shows what matched, at the scale of all the others. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Region, Result } from "../api/types";
import { CaseLinks } from "../browse/case-links";
import { NewMark } from "../saved/new-mark";
import { hrefTo, route } from "../state/navigation";
import { selectionOf } from "../state/region-key";
import { selectedIds, selectWith } from "../state/selection";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { extentText, lengthText } from "../viewer/lengths";
import { FieldPicture } from "./field-picture";
import { JudgeButtons } from "./judge-buttons";
import { judgedMarks, markOfField, pressFieldMark } from "./judgements";
import { markOf } from "./marks";
import { Nearness } from "./nearness";
import { Why } from "./why";

const words = strings.results;

/** The size that all fields of a list have, in words. */
export function FieldSize({ sizeUm }: { sizeUm: number | null }): JSX.Element | null {
  return sizeUm === null ? null : <p class="faint">{words.fieldSize(lengthText(sizeUm))}</p>;
}

export interface FieldCardProps {
  readonly result: Result;
  readonly calibratedFor: string | null;
  /** Of all results that are listed, in their order. */
  readonly slideIds: readonly string[];
}

export function FieldCard({ result, calibratedFor, slideIds }: FieldCardProps): JSX.Element {
  const { slide, slide_id, rank, field = null, region = null } = result;
  const mark = markOf(judgedMarks.value, slide_id);
  const href = hrefTo({ view: "compare", ...selectionOf(route.value, slide_id, region) });
  const selected = selectedIds.value.has(slide_id);
  const size = region && sizeText(region, slide.spacing_um_per_px);
  const name = region
    ? words.openRegion(slide.diagnosis, slide.title, rank, size)
    : words.compare(slide.diagnosis, slide.title, rank);
  return (
    <li
      class={["results-field", mark && `results-${mark}`, selected && "results-selected"].filter(Boolean).join(" ")}
      data-slide={slide_id}
      data-rank={rank}
    >
      <a
        data-result
        class="results-open"
        href={href}
        aria-label={name}
        onClick={(event) => selectWith(event, slide_id, slideIds)}
      >
        <FieldPicture result={result} field={field} />
      </a>
      <div class="results-named">
        <h2>
          <span class="results-rank">{rank}</span> {slide.title} <NewMark slide={slide} />
        </h2>
        <Nearness result={result} calibratedFor={calibratedFor} />
      </div>
      {slide.diagnosis && <p class="results-diagnosis">{slide.diagnosis}</p>}
      {size && <p class="results-ids unbroken">{size}</p>}
      <CaseLinks slide={slide} />
      <FurtherFields result={result} />
      <Why result={result} />
      <fieldset class="judge-buttons" aria-label={words.actions(slide.title)}>
        <JudgeButtons slideId={slide_id} />
      </fieldset>
    </li>
  );
}

function sizeText(region: Region, umPerPx: number): string {
  if (!umPerPx) return strings.viewer.sizePx(region.width, region.height);
  return extentText(region.width * umPerPx, region.height * umPerPx);
}

/** The next best fields, once somebody asks for them. */
function FurtherFields({ result }: { result: Result }): JSX.Element | null {
  const [shown, setShown] = useState(false);
  const fields = result.further_fields ?? [];
  if (!fields.length) return null;
  return (
    <>
      <Button kind="quiet" aria-expanded={shown} onClick={() => setShown(!shown)}>
        {words.furtherFields(fields.length)}
      </Button>
      {shown && (
        <div class="results-strip">
          {[...(result.field ? [result.field] : []), ...fields.map(({ field }) => field)].map((field) => (
            <JudgedField key={`${field.x},${field.y}`} result={result} field={field} />
          ))}
        </div>
      )}
    </>
  );
}

/** A field with what is said of it alone. */
function JudgedField({ result, field }: { result: Result; field: Region }): JSX.Element {
  const { slide_id } = result;
  const mark = markOfField(slide_id, field);
  return (
    <div>
      <FieldPicture result={result} field={field} />
      <IconButton
        icon="check"
        label={words.fieldRelevant}
        pressed={mark === "relevant"}
        onClick={() => void pressFieldMark(slide_id, field, "relevant")}
      />
      <IconButton
        icon="minus"
        label={words.fieldIrrelevant}
        pressed={mark === "irrelevant"}
        onClick={() => void pressFieldMark(slide_id, field, "irrelevant")}
      />
    </div>
  );
}
