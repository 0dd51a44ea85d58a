import type { JSX } from "preact";
import { trays } from "../api/endpoints";
import type { Report, Tray, TrayCase } from "../api/types";
import { caseHref, patientHref } from "../browse/case-links";
import { SelectionBar } from "../browse/selection-bar";
import { SlideCard } from "../browse/slide-card";
import { CollectDialog, openAddDialog } from "../collections/add-dialog";
import { ReportPane } from "../compare/report-pane";
import { runQuery } from "../search/query-form";
import { archiveName } from "../state/archives";
import { fieldTitle } from "../state/field-titles";
import { route } from "../state/navigation";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import "../browse/browse.css";
import "../compare/compare.css";
import "./cases.css";

const words = strings.cases;
const MOST_OF_QUERY = 50;

interface Wanted {
  readonly archive: string;
  readonly kind: "case" | "patient";
  readonly id: string;
}

function fetchTray({ archive, kind, id }: Wanted, signal: AbortSignal): Promise<Tray> {
  return kind === "case" ? trays.case(archive, id, signal) : trays.patient(archive, id, signal);
}

/** A patient or a case: all its slides as a tray, and its reports. */
export function CaseView(): JSX.Element {
  const { case: caseId, patient } = route.value.shown;
  const archive = archiveName.value;
  const wanted: Wanted | null = caseId
    ? { archive, kind: "case", id: caseId }
    : patient
      ? { archive, kind: "patient", id: patient }
      : null;
  const { value, error, loading, reload } = useResource(wanted, fetchTray);
  if (!wanted) return <Note>{words.none}</Note>;
  if (error) return <ErrorPanel error={error} onRetry={reload} />;
  if (!value) return <Spinner />;
  return (
    <div class="cases" aria-busy={loading}>
      <Head kind={wanted.kind} id={wanted.id} tray={value} />
      {value.cases.map((one) => (
        <CaseTray key={one.case_id ?? ""} tray={one} titled={wanted.kind === "patient"} />
      ))}
      <SelectionBar known={slidesOf(value)} />
      <CollectDialog />
    </div>
  );
}

function slidesOf(tray: Tray) {
  return tray.cases.flatMap(({ slides }) => slides);
}

function Head({ kind, id, tray }: { kind: Wanted["kind"]; id: string; tray: Tray }): JSX.Element {
  const ids = slidesOf(tray).map(({ slide_id }) => slide_id);
  const search = (): void =>
    kind === "case"
      ? runQuery({ kind: "case", case_id: id })
      : runQuery({ kind: "case", slides: ids.slice(0, MOST_OF_QUERY).map((slide_id) => ({ slide_id })) });
  return (
    <header class="cases-head">
      <div>
        <h1>{kind === "case" ? words.case(id) : words.patient(id)}</h1>
        <p class="faint">
          {words.contents(tray.total, tray.cases.length)}
          {kind === "case" &&
            tray.patients.map((patient) => (
              <span key={patient}>
                {" · "}
                <a href={patientHref(patient)}>{words.patient(patient)}</a>
              </span>
            ))}
        </p>
        {tray.total > ids.length && <p class="faint">{words.more(ids.length)}</p>}
      </div>
      <div class="cases-actions screen-only">
        <Button icon="search" kind="primary" title={words.searchTip} onClick={search}>
          {kind === "case" ? strings.results.likeCase : words.likePatient}
        </Button>
        <Button icon="collection" onClick={() => openAddDialog(ids)}>
          {words.collectAll}
        </Button>
      </div>
    </header>
  );
}

/** The slides of a case, its reports beside them. */
function CaseTray({ tray, titled }: { tray: TrayCase; titled: boolean }): JSX.Element {
  const ids = tray.slides.map(({ slide_id }) => slide_id);
  const title = tray.case_id === null ? words.noCase : words.case(tray.case_id);
  return (
    <section class="cases-tray" aria-label={title}>
      {titled && <h2>{tray.case_id === null ? title : <a href={caseHref(tray.case_id)}>{title}</a>}</h2>}
      <ul class="browse-grid">
        {tray.slides.map((slide) => (
          <SlideCard key={slide.slide_id} slide={slide} listed={ids} ofTray />
        ))}
      </ul>
      <div class="cases-reports">
        {tray.reports.length === 0 && <p class="faint">{strings.compare.noReport}</p>}
        {tray.reports.map(({ slide_ids, report }) => (
          <article key={report.slide_id} class="panel">
            <h3>{words.report(slide_ids.length < ids.length ? slide_ids.length : null)}</h3>
            <ReportSections report={report} />
          </article>
        ))}
      </div>
    </section>
  );
}

function ReportSections({ report: { text, sections } }: { report: Report }): JSX.Element {
  if (!sections.length) return <ReportPane text={text} phrases={[]} />;
  return (
    <>
      {sections.map(({ heading, name, start, body, end }) => (
        <section key={start}>
          <h4>{heading || fieldTitle(name)}</h4>
          <ReportPane text={text.slice(body, end).trim()} phrases={[]} />
        </section>
      ))}
    </>
  );
}
