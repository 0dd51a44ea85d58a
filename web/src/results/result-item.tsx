/** One result of the list. */
import type { JSX } from "preact";
import { slides } from "../api/endpoints";
import type { Result } from "../api/types";
import { NewMark } from "../saved/new-mark";
import { runQuery } from "../search/query-form";
import { archiveName } from "../state/archives";
import { hrefTo, NEW_QUESTION, route } from "../state/navigation";
import { otherNamesOf } from "../state/slide-names";
import { strings } from "../strings";
import { ProbabilityBar } from "../ui/bars";
import { IconButton } from "../ui/button";
import { Picture } from "../ui/picture";
import { channelsText } from "./channels";
import { ReportExcerpt } from "./excerpt";
import { JudgeButtons } from "./judge-buttons";
import { markOf } from "./marks";

const words = strings.results;
const THUMBNAIL_PX = 112;

export interface ResultItemProps {
  readonly result: Result;
  readonly calibratedFor: string | null;
}

export function ResultItem({ result, calibratedFor }: ResultItemProps): JSX.Element {
  const { slide_id, rank } = result;
  const mark = markOf(route.value.marks, slide_id);
  return (
    <li class={`results-item ${mark ? `results-${mark}` : ""}`} data-slide={slide_id}>
      <span class="results-rank">{rank}</span>
      <Thumbnail result={result} />
      <div class="results-what">
        <Title result={result} />
        <Facts result={result} />
        <Ids result={result} />
        <p class="results-ways">{channelsText(result)}</p>
        <ReportExcerpt result={result} />
      </div>
      <div class="results-side">
        <Numbers result={result} calibratedFor={calibratedFor} />
        <Actions result={result} />
      </div>
    </li>
  );
}

function Thumbnail({ result }: { result: Result }): JSX.Element {
  const { slide_id, slide } = result;
  const size = { width: THUMBNAIL_PX, height: THUMBNAIL_PX };
  return (
    <span class="results-thumbnail">
      {slide.has_image ? (
        <Picture {...size} src={slides.thumbnailUrl(archiveName.value, slide_id, 2 * THUMBNAIL_PX)}>
          <span>{words.noImage}</span>
        </Picture>
      ) : (
        <span>{words.noImage}</span>
      )}
    </span>
  );
}

function compareHref(slideId: string): string {
  return hrefTo({ view: "compare", selected: slideId });
}

function Title({ result }: { result: Result }): JSX.Element {
  const { slide, slide_id } = result;
  return (
    <h2>
      <a data-result href={compareHref(slide_id)} aria-label={words.compare(slide.diagnosis, slide_id, result.rank)}>
        {slide.diagnosis ?? slide_id}
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
  const { slide_id, slide, case_id, also } = result;
  return (
    <p class="results-ids">
      {slide.diagnosis !== null && (
        <span>
          {words.slide} <code>{slide_id}</code>
        </span>
      )}
      {otherNamesOf(slide).map((name) => (
        <span key={name} class="results-name">
          {name}
        </span>
      ))}
      {case_id && (
        <span>
          {words.case}{" "}
          <a
            class="results-case"
            href={hrefTo({ ...NEW_QUESTION, query: { kind: "case", case_id } })}
            title={words.likeCase}
          >
            <code>{case_id}</code>
          </a>
        </span>
      )}
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

function Numbers({ result, calibratedFor }: { result: Result; calibratedFor: string | null }): JSX.Element {
  const { score, probability, matches, text_regions, label_unknown } = result;
  const regions = matches.length || text_regions.length;
  return (
    <div class="results-numbers">
      {label_unknown && calibratedFor && <span class="faint">{words.unlabelled(calibratedFor)}</span>}
      {probability !== null && <Probability value={probability} calibratedFor={calibratedFor} />}
      <span title={words.scoreWhat}>
        <span class="faint">{words.score}</span> {words.figure(score)}
      </span>
      {regions > 0 && <span class="faint">{words.regions(regions)}</span>}
    </div>
  );
}

/** How likely the result has the query's label. */
function Probability({ value, calibratedFor }: { value: number; calibratedFor: string | null }): JSX.Element {
  return (
    <div class="results-probability">
      <ProbabilityBar value={value} calibratedFor={calibratedFor} />
      {calibratedFor && <span class="faint">{words.probabilityOf(calibratedFor)}</span>}
    </div>
  );
}

function Actions({ result: { slide_id, also } }: { result: Result }): JSX.Element {
  return (
    <fieldset class="judge-buttons" aria-label={words.actions(slide_id)}>
      <JudgeButtons slideId={slide_id} alsoCollected={also} />
      <IconButton
        icon="search"
        label={words.likeThis}
        onClick={() => runQuery({ kind: "slide", slide: { slide_id } })}
      />
    </fieldset>
  );
}
