import type { JSX } from "preact";
import type { SearchResponse } from "../api/types";
import { download, fileName } from "../export/download";
import { printPage } from "../export/print";
import { type Origin, resultsCsv, resultsJson } from "../export/tables";
import { archiveName } from "../state/archives";
import { route } from "../state/navigation";
import { describeFilters, describeQuery } from "../state/query-descriptions";
import { currentSession } from "../state/session";
import { strings } from "../strings";
import { Menu } from "../ui/menu";

const words = strings.export;

/** Take the results away: as tables, or on paper. */
export function ExportMenu({ response }: { response: SearchResponse }): JSX.Element {
  // The words that were asked with may tell of a patient, so they are not in the file's name.
  const name = (): string => {
    const results = words.resultsOf(archiveName.value, response.query.kind, today());
    return [results, words.purpose].map(fileName).join("-");
  };
  return (
    <Menu
      label={words.title}
      icon="download"
      items={[
        { label: words.csv, run: () => download(resultsCsv(response.results), name(), "csv") },
        { label: words.json, run: () => download(resultsJson(response, originOf(response)), name(), "json") },
        { label: words.print, icon: "print", run: () => void printPage() },
      ]}
    />
  );
}

function originOf({ query }: SearchResponse): Origin {
  const { filters, settings } = route.peek();
  return {
    archive: archiveName.peek(),
    question: describeQuery(query),
    filters: describeFilters(filters),
    where: settings.where,
    exported: new Date().toISOString(),
    purpose: currentSession()?.disclaimer ?? null,
  };
}

/** The date where the page is read, as in 2026-01-31. */
function today(): string {
  return new Date().toLocaleDateString("sv");
}
