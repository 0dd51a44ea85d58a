/** What was found: filters, what the results say, and their fields; before anything was asked, what can be done. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { SearchResponse } from "../api/types";
import { BrowseView } from "../browse/browse-view";
import { CollectDialog } from "../collections/add-dialog";
import { ActiveFilters, clearFilters } from "../facets/active-filters";
import { FacetsPanel } from "../facets/facets-panel";
import { ToFilters } from "../facets/to-filters";
import { SaveSearch } from "../saved/save-search";
import { go, hrefTo, route } from "../state/navigation";
import { describeQuery, describeQuestion } from "../state/query-descriptions";
import { searchResults } from "../state/search-results";
import { announce } from "../state/toasts";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Icon } from "../ui/icons";
import { ErrorPanel } from "../ui/status";
import { CollectMenu } from "./collect-menu";
import { currentResponse } from "./current-response";
import { ExportMenu } from "./export-menu";
import { FieldSize } from "./field-card";
import { chooseLayout, isGrouped, layout, toggleGroups } from "./layout";
import { MarksBar } from "./marks-bar";
import { hasQueryField, QueryField } from "./query-field";
import { ResultList } from "./result-list";
import { Skeleton } from "./skeleton";
import { Verdict } from "./verdict";
import "./results.css";

const words = strings.results;
const FILTERS = "results-filters";

export function ResultsView(): JSX.Element {
  if (!route.value.query) return <BrowseView />;
  return (
    <div class="results">
      <div id={FILTERS} class="results-filters screen-only" tabIndex={-1}>
        <FacetsPanel />
      </div>
      <Found />
      <CollectDialog />
    </div>
  );
}

/** Whether patients can vote: regions are of what is asked for, not of whom they are. */
function votes({ query }: SearchResponse): boolean {
  return query.to !== "regions";
}

function Found(): JSX.Element {
  const { loading, error } = searchResults.state.value;
  const value = currentResponse.value;
  useAnnouncement(value);
  return (
    <section class="results-main" aria-label={words.title} aria-busy={loading}>
      <Head response={value} failed={error !== null} />
      <ActiveFilters />
      <MarksBar />
      {error && <ErrorPanel error={error} onRetry={searchResults.reload} />}
      {value ? <Answer response={value} loading={loading} /> : loading && <Skeleton />}
    </section>
  );
}

/** Screen readers are told what came; the focus stays where it is. */
function useAnnouncement(response: SearchResponse | null): void {
  useEffect(() => {
    if (response) announce(words.announced(response.results.length, response.unlike, response.nothing_fits));
  }, [response]);
}

function Head({ response, failed }: { response: SearchResponse | null; failed: boolean }): JSX.Element {
  const waiting = failed ? words.title : words.searching;
  return (
    <header class="results-head">
      <div>
        <h1 class="screen-only">{response ? describeQuestion(route.value.query, response.query) : waiting}</h1>
        {/* What was pasted may name a patient: on paper stands what kind of question it was. */}
        {response && <p class="results-asked print-only">{describeQuery(response.query)}</p>}
        {response && <p class="faint">{words.summary(response.results.length, response.elapsed_ms)}</p>}
      </div>
      <div class="results-tools screen-only">
        <ToFilters of={FILTERS} />
        {response && response.results.length > 0 && <Tools response={response} />}
      </div>
    </header>
  );
}

function Tools({ response }: { response: SearchResponse }): JSX.Element {
  return (
    <>
      <Button pressed={layout.value === "grid"} onClick={() => chooseLayout("grid")}>
        {words.layouts.grid}
      </Button>
      <Button pressed={layout.value === "list"} onClick={() => chooseLayout("list")}>
        {words.layouts.list}
      </Button>
      <Button pressed={isGrouped.value} onClick={toggleGroups}>
        {words.groups.group}
      </Button>
      <CollectMenu response={response} />
      <a class="button" href={hrefTo({ view: "board", selected: null })}>
        <Icon name="compare" />
        {strings.board.title}
      </a>
      <SaveSearch suggestion={response.query.kind === "report" ? "" : describeQuery(response.query)} />
      <ExportMenu response={response} />
    </>
  );
}

function Answer({ response, loading }: { response: SearchResponse; loading: boolean }): JSX.Element {
  const found = response.results.length > 0;
  return (
    <div class={loading ? "results-answer results-stale" : "results-answer"}>
      <Spelling query={response.query} />
      {found && votes(response) && <Verdict response={response} />}
      <Fit response={response} />
      <Warnings warnings={notesOn(response)} />
      {found ? <Evidence response={response} /> : <Nothing />}
      <Pages response={response} />
    </div>
  );
}

/** The results, and beside them the query's field that each matches. */
function Evidence({ response }: { response: SearchResponse }): JSX.Element {
  return (
    <>
      <FieldSize sizeUm={response.field_um ?? null} />
      <div class={hasQueryField(response) ? "results-evidence" : undefined}>
        <QueryField response={response} />
        <ResultList response={response} />
      </div>
    </>
  );
}

function notesOn({ left_out, warnings }: SearchResponse): readonly string[] {
  return left_out ? [words.leftOut(left_out), ...warnings] : warnings;
}

/** That nothing fits, or from where on. */
function Fit({ response: { nothing_fits, results } }: { response: SearchResponse }): JSX.Element | null {
  const below = results.find(({ fits }) => fits === false);
  if (nothing_fits && results.length) {
    return (
      <div class="panel results-misfit" role="status">
        <h2>{words.nothingFits}</h2>
        <p>{words.nearest}</p>
      </div>
    );
  }
  return below ? <p class="faint">{words.below(below.rank)}</p> : null;
}

/** What was searched for where words were misspelt, with the way back. */
function Spelling({ query }: { query: SearchResponse["query"] }): JSX.Element | null {
  if (!query.searched_for) return null;
  const settings = { ...route.value.settings, verbatim: true };
  return (
    <p class="results-spelling">
      {words.searchedFor} <strong>{query.searched_for}</strong>.{" "}
      <a href={hrefTo({ settings, page: 1, selected: null })}>{words.searchInstead(query.text ?? "")}</a>
    </p>
  );
}

function Warnings({ warnings }: { warnings: readonly string[] }): JSX.Element | null {
  if (!warnings.length) return null;
  return (
    <ul class="results-warnings" aria-label={words.warnings}>
      {warnings.map((warning) => (
        <li key={warning}>
          <Icon name="info" />
          {warning}
        </li>
      ))}
    </ul>
  );
}

function Nothing(): JSX.Element {
  const { page } = route.value;
  return page > 1 ? <NothingMore page={page} /> : <NothingAtAll />;
}

/** Behind the last page. */
function NothingMore({ page }: { page: number }): JSX.Element {
  return (
    <div class="panel results-nothing">
      <div>
        <h2>{words.nothingMore}</h2>
        <p>{words.adviceBeyond(page)}</p>
        <a href={hrefTo({ page: 1 })}>{words.firstPage}</a>
      </div>
    </div>
  );
}

function NothingAtAll(): JSX.Element {
  const { filters, query, settings } = route.value;
  const narrowed = filters.length > 0 || settings.where !== null;
  return (
    <div class="panel results-nothing">
      <div>
        <h2>{words.nothing}</h2>
        <ul>
          {narrowed && <li>{words.adviceFilters}</li>}
          {settings.minProbability !== null && <li>{words.adviceProbability}</li>}
          {!settings.samePatient && query?.kind !== "text" && <li>{words.advicePatient}</li>}
          <li>{words.adviceWords}</li>
        </ul>
        {narrowed && <Button onClick={clearFilters}>{strings.facets.clear}</Button>}
      </div>
    </div>
  );
}

function Pages({ response }: { response: SearchResponse }): JSX.Element | null {
  const { page } = route.value;
  const isOnly = page === 1 && response.next_offset === null;
  if (isOnly || !response.results.length) return null;
  return (
    <nav class="results-pages screen-only" aria-label={words.pages}>
      {page > 1 && <a href={hrefTo({ page: page - 1 })}>{words.previous}</a>}
      <span>{words.page(page)}</span>
      {response.next_offset !== null && (
        <Button onClick={() => go({ page: page + 1 })} icon="down">
          {words.more}
        </Button>
      )}
    </nav>
  );
}
