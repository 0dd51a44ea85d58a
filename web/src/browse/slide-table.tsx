import type { JSX } from "preact";
import type { Slide } from "../api/types";
import { fieldTitle } from "../state/field-titles";
import { valueIn } from "../state/slide-names";
import { strings } from "../strings";
import { Icon } from "../ui/icons";
import { caseHref, patientHref } from "./case-links";
import { order, shownColumns, sortBy } from "./order";
import { SelectBox, slideHref, Thumbnail } from "./slide-card";

const THUMBNAIL_PX = 40;
const DATES = new Set(["created", "updated"]);

/** Slides as a table with the columns that were chosen. */
export function SlideTable({ slides, listed }: { slides: readonly Slide[]; listed: readonly string[] }): JSX.Element {
  const columns = shownColumns.value;
  return (
    <div class="browse-scroll">
      <table class="browse-table">
        <thead>
          <tr>
            <th aria-label={strings.browse.selected} />
            <SortHeading column="title" />
            {columns.map((column) => (
              <SortHeading key={column} column={column} />
            ))}
          </tr>
        </thead>
        <tbody>
          {slides.map((slide) => (
            <tr key={slide.slide_id} data-slide={slide.slide_id}>
              <td>
                <SelectBox slide={slide} listed={listed} />
              </td>
              <th scope="row">
                <span class="browse-named">
                  <Thumbnail slide={slide} px={THUMBNAIL_PX} />
                  <a data-browse href={slideHref(slide.slide_id)}>
                    {slide.title}
                  </a>
                </span>
              </th>
              {columns.map((column) => (
                <td key={column}>
                  <Cell slide={slide} column={column} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function SortHeading({ column }: { column: string }): JSX.Element {
  const { sort, descending } = order.value;
  const isSorted = sort === column;
  return (
    <th scope="col" aria-sort={isSorted ? (descending ? "descending" : "ascending") : undefined}>
      <button type="button" onClick={() => sortBy(column)}>
        {fieldTitle(column)}
        {isSorted && <Icon name={descending ? "down" : "up"} size={12} />}
      </button>
    </th>
  );
}

function Cell({ slide, column }: { slide: Slide; column: string }): JSX.Element {
  const text = cellText(slide, column);
  if (column === "patient_id" && slide.patient_id) return <a href={patientHref(slide.patient_id)}>{text}</a>;
  if (column === "case_id" && slide.case_id) return <a href={caseHref(slide.case_id)}>{text}</a>;
  return <>{text}</>;
}

/** A value as it is read: days of moments. */
export function cellText(slide: Slide, column: string): string {
  const value = valueIn(slide, column);
  if (value === null) return "";
  return DATES.has(column) ? String(value).slice(0, 10) : String(value);
}
