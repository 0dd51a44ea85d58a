/** One result of the list. */
import type { JSX } from "preact";
import type { Result } from "../api/types";
import { CaseLinks } from "../browse/case-links";
import { NewMark } from "../saved/new-mark";
import { runQuery } from "../search/query-form";
import { hrefTo } from "../state/navigation";
import { selectedIds, selectWith } from "../state/selection";
import { fileNameOf } from "../state/slide-names";
import { strings } from "../strings";
import { IconButton } from "../ui/button";
import { ReportExcerpt } from "./excerpt";
import type { FieldCardProps } from "./field-card";
import { FieldPicture } from "./field-picture";
import { JudgeButtons } from "./judge-buttons";
import { judgedMarks } from "./judgements";
import { markOf } from "./marks";
import { Nearness } from "./nearness";
import { Why } from "./why";

const words = strings.results;
export function ResultItem({ result, calibratedFor, slideIds }: FieldCardProps): JSX.Element {
  const { slide_id, rank, field = null } = result;
  const mark = markOf(judgedMarks.value, slide_id);
  const selected = selectedIds.value.has(slide_id);
  return (
    <li
      class={["results-item", mark && `results-${mark}`, selected && "results-selected"].filter(Boolean).join(" ")}
      data-slide={slide_id}
      data-rank={rank}
    >
      <span class="results-rank">{rank}</span>
      <span class="results-thumbnail">
        <FieldPicture result={result} field={field} />
      </span>
      <div class="results-what">
        <Title result={result} slideIds={slideIds} />
        {result.slide.diagnosis && <p class="results-diagnosis">{result.slide.diagnosis}</p>}
        <Facts result={result} />
        <Ids result={result} />
        <ReportExcerpt result={result} />
        <Why result={result} />
      </div>
      <div class="results-side">
        <Nearness result={result} calibratedFor={calibratedFor} />
        <Actions result={result} />
      </div>
    </li>
  );
}

function compareHref(slideId: string): string {
  return hrefTo({ view: "compare", selected: slideId });
}

function Title({ result, slideIds }: Pick<FieldCardProps, "result" | "slideIds">): JSX.Element {
  const { slide, slide_id, rank } = result;
  return (
    <h2>
      <a
        data-result
        href={compareHref(slide_id)}
        aria-label={words.compare(slide.diagnosis, slide.title, rank)}
        onClick={(event) => selectWith(event, slide_id, slideIds)}
      >
        {slide.title}
      </a>{" "}
      <NewMark slide={slide} />
    </h2>
  );
}

function Facts({ result: { slide } }: { result: Result }): JSX.Element | null {
  const facts = (
    [
      ["organ", slide.organ],
      ["stain", slide.stain],
      ["site", slide.site],
    ] as const
  ).filter(([, value]) => value);
  if (!facts.length) return null;
  return (
    <p class="results-facts">
      {facts.map(([name, value]) => (
        <span key={name} title={words.facts[name]}>
          {value}
        </span>
      ))}
    </p>
  );
}

function Ids({ result }: { result: Result }): JSX.Element {
  const { slide, also } = result;
  const file = fileNameOf(slide);
  return (
    <p class="results-ids">
      {file && file !== slide.title && <span class="results-name">{file}</span>}
      <CaseLinks slide={slide} />
      {also.length > 0 && (
        <span>
          {words.also(also.length)}{" "}
          {also.map((id) => (
            <a key={id} href={compareHref(id)}>
              <code>{id}</code>
            </a>
          ))}
        </span>
      )}
    </p>
  );
}

function Actions({ result: { slide, slide_id, also } }: { result: Result }): JSX.Element {
  return (
    <fieldset class="judge-buttons" aria-label={words.actions(slide.title)}>
      <JudgeButtons slideId={slide_id} alsoCollected={also} />
      <IconButton
        icon="search"
        label={words.likeThis}
        onClick={() => runQuery({ kind: "slide", slide: { slide_id } })}
      />
    </fieldset>
  );
}
