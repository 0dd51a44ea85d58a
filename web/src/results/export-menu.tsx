import type { JSX } from "preact";
import type { SearchResponse } from "../api/types";
import { download, fileName } from "../export/download";
import { printPage } from "../export/print";
import { resultsCsv, resultsJson } from "../export/tables";
import { archiveName } from "../state/archives";
import { strings } from "../strings";
import { Menu } from "../ui/menu";

const words = strings.export;

/** Take the results away: as tables, or on paper. */
export function ExportMenu({ response }: { response: SearchResponse }): JSX.Element {
  // What was asked may tell of a patient, so it is not in the file's name.
  const name = fileName(words.resultsOf(archiveName.value));
  return (
    <Menu
      label={words.title}
      icon="download"
      items={[
        { label: words.csv, run: () => download(resultsCsv(response.results), name, "csv") },
        { label: words.json, run: () => download(resultsJson(response), name, "json") },
        { label: words.print, icon: "print", run: () => void printPage() },
      ]}
    />
  );
}
