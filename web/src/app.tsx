/** The page: a login where there is no session, else a header and the view of the address. */
import type { ComponentType, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { ArchiveInfo } from "./api/types";
import { Header } from "./header";
import { ResultsView } from "./results/results-view";
import { ArchiveChoice } from "./several/archive-choice";
import { ResultsOfAll } from "./several/results-of-all";
import { archive, archiveList, archiveName, asksAll } from "./state/archives";
import { hrefTo, route, view } from "./state/navigation";
import { START, type View } from "./state/route";
import { searchResults } from "./state/search-results";
import { currentSession, session } from "./state/session";
import { strings } from "./strings";
import { ErrorPanel, Note, Spinner, StatusRegion } from "./ui/status";
import { HelpDialog } from "./views/help";
import { lazy, whenIdle } from "./views/lazy";
import { Login } from "./views/login";

const CompareView = lazy(() => import("./compare/compare-view").then((room) => room.CompareView));

/** The code of results comes with the page, since they are what is seen first; that of others when it is needed. */
const VIEW_COMPONENTS: Record<View, ComponentType> = {
  results: ResultsView,
  compare: CompareView,
  board: lazy(() => import("./board/board-view").then((room) => room.BoardView)),
  case: lazy(() => import("./cases/case-view").then((room) => room.CaseView)),
  overview: lazy(() => import("./overview/overview-view").then((room) => room.OverviewView)),
  collections: lazy(() => import("./collections/collections-view").then((room) => room.CollectionsView)),
  work: lazy(() => import("./jobs/work-view").then((room) => room.WorkView)),
  history: lazy(() => import("./views/history").then((room) => room.HistoryView)),
};

/** What is not of the archive that is chosen. */
const OF_NO_ARCHIVE: ReadonlySet<View> = new Set(["collections", "work", "history"]);

export function App(): JSX.Element {
  if (session.value === "unknown") return <Spinner />;
  return (
    <>
      {session.value === "none" ? <Login /> : <Page />}
      <StatusRegion />
    </>
  );
}

function Page(): JSX.Element {
  const hasResults = searchResults.state.value.value !== null;
  useEffect(() => {
    // Who has results opens one of them next.
    if (hasResults) whenIdle(CompareView.preload);
  }, [hasResults]);
  return (
    <div class="app">
      {/* biome-ignore lint/a11y/useValidAnchor: a skip link; the fragment of the address is taken by the route. */}
      <a class="skip" href="#content" onClick={skipToContent}>
        {strings.app.skip}
      </a>
      <Header />
      <Content />
      <Footer />
      <HelpDialog />
    </div>
  );
}

/** What the server wants to be said below everything, and on paper what is printed. */
function Footer(): JSX.Element {
  return (
    <footer class="footer">
      <span class="print-only">{strings.app.printed(archiveName.value, new Date().toLocaleString())}</span>
      {currentSession()?.disclaimer}
    </footer>
  );
}

/** The view of the address; a change of view puts the focus on it, so that screen readers say where they are. */
function Content(): JSX.Element {
  const main = useRef<HTMLElement>(null);
  const currentView = view.value;
  const first = useRef(true);
  useEffect(() => {
    document.title = strings.app.title(strings.app.views[currentView]);
    if (!first.current) begin(main.current);
    first.current = false;
  }, [currentView]);
  return (
    <main id="content" class="main" ref={main} tabIndex={-1} aria-label={strings.app.views[currentView]}>
      <ArchiveView currentView={currentView} />
    </main>
  );
}

/** Focus a view and show it from its top, with the header where that scrolls away. */
function begin(main: HTMLElement | null): void {
  main?.focus({ preventScroll: true });
  main?.closest(".app")?.scrollTo({ top: 0 });
}

function ArchiveView({ currentView }: { currentView: View }): JSX.Element {
  const { loading, value, error } = archiveList.state.value;
  if (error) return <ErrorPanel error={error} onRetry={archiveList.reload} />;
  if (!value) return <>{loading && <Spinner />}</>;
  if (asksAll.value && value.length && !OF_NO_ARCHIVE.has(currentView))
    return <OfAllArchives currentView={currentView} />;
  const Shown = VIEW_COMPONENTS[currentView];
  if (archive.value) return <Shown />;
  const wanted = route.value.archive;
  if (wanted === null || !value.length) return <Note kind="warning">{strings.app.noArchives}</Note>;
  return <UnknownArchive wanted={wanted} known={value} />;
}

/** Results of all archives; what shows one archive asks which one. */
function OfAllArchives({ currentView }: { currentView: View }): JSX.Element {
  return currentView === "results" ? <ResultsOfAll /> : <ArchiveChoice explain={strings.several.ofOne} />;
}

function UnknownArchive({ wanted, known }: { wanted: string; known: readonly ArchiveInfo[] }): JSX.Element {
  return (
    <Note kind="warning">
      {strings.app.unknownArchive(wanted)}
      <ul>
        {known.map(({ name }) => (
          <li key={name}>
            <a href={hrefTo({ ...START, archive: name })}>{name}</a>
          </li>
        ))}
      </ul>
    </Note>
  );
}

/** Following the link would replace the route. */
function skipToContent(event: Event): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}
