/** Results of all archives as one list; each leads to its own archive. */
import type { JSX } from "preact";
import { searches } from "../api/endpoints";
import type { ArchiveOutcome, ArchiveResult, SeveralSearchResponse } from "../api/types";
import { FieldSize } from "../results/field-card";
import { FieldPicture } from "../results/field-picture";
import { archive, archiveList } from "../state/archives";
import { go, hrefTo, route } from "../state/navigation";
import { useResource } from "../state/resource";
import { searchRequestOf } from "../state/search-request";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { ArchiveChoice } from "./archive-choice";
import { HOME, namesArchived } from "./route";
import "../results/results.css";
import "./several.css";

const words = strings.several;

export function ResultsOfAll(): JSX.Element {
  const asked = searchRequestOf(route.value, archive.value);
  const home = asked && namesArchived(asked.query) ? (route.value.shown[HOME] ?? archive.value?.name ?? null) : null;
  const { value, error, loading, reload } = useResource(asked && { ...asked, marks: null, home }, searches.several);
  if (!asked) return <ArchiveChoice explain={words.choose} />;
  return (
    <div class="several" aria-busy={loading}>
      <h1>{words.title(archiveList.state.value.value?.length ?? 0)}</h1>
      {error && <ErrorPanel error={error} onRetry={reload} />}
      {loading && <Spinner label={words.searching} />}
      {value && <Answer answer={value} />}
    </div>
  );
}

function Answer({ answer }: { answer: SeveralSearchResponse }): JSX.Element {
  const column = answer.archives.find((one) => one.calibrated_for)?.calibrated_for ?? "";
  const notes = answer.archives.flatMap(notesOn);
  return (
    <>
      <p class="faint">{answer.merged_by === "probability" ? words.byProbability(column) : words.byRank}</p>
      {notes.length > 0 && (
        <Note>
          <ul class="several-notes">
            {notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </Note>
      )}
      <FieldSize sizeUm={answer.field_um} />
      <p class="faint">{words.noFacets}</p>
      {answer.results.length === 0 && <Note>{words.none}</Note>}
      <ol class="several-list" start={answer.results[0]?.rank ?? 1} aria-label={words.results}>
        {answer.results.map((one) => (
          <Found key={`${one.archive} ${one.result.slide_id}`} found={one} />
        ))}
      </ol>
      <Pages next={answer.next_offset} />
    </>
  );
}

function notesOn({ name, error, unlike, nothing_fits }: ArchiveOutcome): string[] {
  if (error !== null) return [words.notAsked(name, error)];
  return [...(unlike ? [words.unlike(name)] : []), ...(nothing_fits ? [words.nothingFits(name)] : [])];
}

function Found({ found }: { found: ArchiveResult }): JSX.Element {
  const { archive: name, rank, result } = found;
  const { slide, probability } = result;
  const facts = [slide.diagnosis, slide.organ, slide.stain].filter(Boolean).join(", ");
  return (
    <li class="several-result" data-slide={result.slide_id} data-archive={name}>
      <FieldPicture result={result} field={result.field ?? null} archive={name} />
      <div class="several-what">
        <h2>
          <span class="faint">{`${rank}. `}</span>
          <a href={hrefOf(found)} aria-label={words.open(slide.title, name)}>
            {slide.title}
          </a>
        </h2>
        {facts && <p>{facts}</p>}
        <p class="faint">
          {name}
          {probability !== null && ` ${words.probability(probability)}`}
        </p>
      </div>
    </li>
  );
}

/** Beside the question where the archive of the result knows it, else the slide alone. */
function hrefOf({ archive: name, result }: ArchiveResult): string {
  const { query, shown } = route.value;
  const isKnown = query !== null && (!namesArchived(query) || shown[HOME] === name);
  const asked = isKnown ? {} : { query: null };
  return hrefTo({ ...asked, view: "compare", archive: name, selected: result.slide_id, page: 1, shown: {} });
}

function Pages({ next }: { next: number | null }): JSX.Element {
  const { page } = route.value;
  return (
    <div class="several-pages screen-only">
      {page > 1 && <Button onClick={() => go({ page: 1 })}>{words.first}</Button>}
      {next !== null && <Button onClick={() => go({ page: page + 1 })}>{words.more}</Button>}
    </div>
  );
}
