import type { JSX } from "preact";
import { asApiError } from "../api/error";
import type { Slide } from "../api/types";
import { openAddDialog } from "../collections/add-dialog";
import { slidesOfIds } from "../collections/slides";
import { csvText } from "../export/csv";
import { download, fileName } from "../export/download";
import { runQuery } from "../search/query-form";
import { archive, archiveName } from "../state/archives";
import { go } from "../state/navigation";
import { clearSelection, selection } from "../state/selection";
import { valueIn } from "../state/slide-names";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { MakeWorklist } from "../worklists/make-worklist";
import { columnsOf } from "./order";

const words = strings.browse;
const MOST_OF_CASE = 50;

/** What can be done with the slides that are selected; nothing while none is. */
export function SelectionBar({ known }: { known: readonly Slide[] }): JSX.Element | null {
  const ids = selection.value;
  if (!ids.length) return null;
  return (
    <section class="browse-bar screen-only" aria-label={words.selected}>
      <strong aria-live="polite">{words.count(ids.length)}</strong>
      <Button icon="compare" disabled={ids.length !== 2} title={words.compareTip} onClick={() => compareTwo(ids)}>
        {words.compare}
      </Button>
      <Button icon="search" disabled={ids.length > MOST_OF_CASE} onClick={() => searchWith(ids)}>
        {words.searchWith(ids.length)}
      </Button>
      <Button icon="collection" onClick={() => openAddDialog(ids)}>
        {strings.results.collect}
      </Button>
      <MakeWorklist slides={ids.map((slide_id) => ({ archive: archiveName.value, slide_id }))} />
      <Button icon="download" onClick={() => void exportTable(ids, known)}>
        {words.table}
      </Button>
      <Button kind="quiet" onClick={clearSelection}>
        {words.clear}
      </Button>
    </section>
  );
}

/** One slide alone is the query; several are a case. */
function searchWith(ids: readonly string[]): void {
  const all = ids.map((slide_id) => ({ slide_id }));
  const [first] = all;
  if (!first) return;
  clearSelection();
  runQuery(all.length === 1 ? { kind: "slide", slide: first } : { kind: "case", slides: all });
}

function compareTwo([left, right]: readonly string[]): void {
  if (!left || !right) return;
  go({ view: "compare", query: { kind: "slide", slide: { slide_id: left } }, selected: right });
}

/** The slides' metadata as a table, with the names of their files. */
async function exportTable(ids: readonly string[], known: readonly Slide[]): Promise<void> {
  const info = archive.peek();
  if (!info) return;
  const byId = new Map(known.map((slide) => [slide.slide_id, slide]));
  const columns = ["slide_id", "file_name", ...columnsOf(info)];
  try {
    const unknown = ids.filter((id) => !byId.has(id));
    for (const slide of await slidesOfIds(info.name, unknown)) byId.set(slide.slide_id, slide);
    const rows = ids.flatMap((id) => byId.get(id) ?? []);
    const cells = rows.map((slide) => columns.map((column) => asCell(valueIn(slide, column))));
    download(csvText(columns, cells), fileName(words.tableOf(archiveName.peek())), "csv");
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}

function asCell(value: ReturnType<typeof valueIn>): string | number | null {
  return typeof value === "boolean" ? String(value) : value;
}
