/** What is known of slides before they are added to an archive: a small table, filled for one or for all. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { texts } from "../api/endpoints";
import type { Upload } from "../api/types";
import { orToast, toast } from "../state/toasts";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { FileButton } from "../ui/file-button";
import { reportTexts } from "../uploads/report-texts";
import { type Cells, COLUMNS, type Column, columnsFor, filledForAll, requestOf } from "./add-table";
import { startJob } from "./jobs";

const words = strings.work.add;

export interface AddDialogProps {
  readonly uploads: readonly Upload[];
  readonly archive: string;
  readonly onClose: () => void;
}

export function AddDialog({ uploads, archive, onClose }: AddDialogProps): JSX.Element {
  const cells = useSignal<Cells>({});
  const columns = columnsFor(uploads);
  const add = async (): Promise<void> => {
    const started = await startJob(archive, requestOf(uploads, cells.value, reportTexts.value));
    if (!started) return;
    toast(words.started(uploads.length, archive));
    onClose();
  };
  const actions = (
    <>
      <Button onClick={onClose}>{words.cancel}</Button>
      <Button kind="primary" icon="plus" onClick={() => void add()}>
        {words.confirm(uploads.length)}
      </Button>
    </>
  );
  return (
    <Dialog open={true} title={words.title(archive)} onClose={onClose} actions={actions} class="work-add">
      <p>{words.explain}</p>
      <div class="table-room">
        <table class="table table-stacked">
          <thead>
            <tr>
              <th scope="col">{words.slide}</th>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {words.columns[column]}
                </th>
              ))}
              <th scope="col">{words.report}</th>
            </tr>
          </thead>
          <tbody>
            {uploads.length > 1 && (
              <FillRow
                columns={columns}
                onFill={(column, value) => (cells.value = filledForAll(cells.value, uploads, column, value))}
              />
            )}
            {uploads.map((upload) => (
              <SlideRow
                key={upload.upload_id}
                upload={upload}
                columns={columns}
                cells={cells.value}
                onChange={(next) => (cells.value = next)}
              />
            ))}
          </tbody>
        </table>
      </div>
    </Dialog>
  );
}

function FillRow({
  columns,
  onFill,
}: {
  columns: readonly Column[];
  onFill: (column: Column, value: string) => void;
}): JSX.Element {
  return (
    <tr class="work-fill">
      <th scope="row">{words.fillAll}</th>
      {columns.map((column) => (
        <td key={column} data-label={column === "slide_id" ? undefined : words.columns[column]}>
          {column !== "slide_id" && (
            <input
              class="input"
              aria-label={words.fill(words.columns[column])}
              maxLength={COLUMNS[column]}
              onInput={(event) => onFill(column, event.currentTarget.value)}
            />
          )}
        </td>
      ))}
      <td />
    </tr>
  );
}

interface SlideRowProps {
  readonly upload: Upload;
  readonly columns: readonly Column[];
  readonly cells: Cells;
  readonly onChange: (cells: Cells) => void;
}

function SlideRow({ upload, columns, cells, onChange }: SlideRowProps): JSX.Element {
  const { upload_id, name } = upload;
  return (
    <tr>
      <th scope="row" class="work-name">
        {name}
      </th>
      {columns.map((column) => (
        <td key={column} data-label={words.columns[column]}>
          <input
            class="input"
            aria-label={words.cell(words.columns[column], name)}
            maxLength={COLUMNS[column]}
            placeholder={column === "slide_id" ? name.replace(/\.[^.]*$/, "") : ""}
            value={cells[upload_id]?.[column] ?? ""}
            onInput={(event) =>
              onChange({ ...cells, [upload_id]: { ...cells[upload_id], [column]: event.currentTarget.value } })
            }
          />
        </td>
      ))}
      <td>
        <ReportCell upload={upload} />
      </td>
    </tr>
  );
}

function ReportCell({ upload }: { upload: Upload }): JSX.Element {
  const report = reportTexts.value.get(upload.upload_id);
  const put = (next: { name: string; text: string } | null): void => {
    const others = new Map(reportTexts.value);
    if (next) others.set(upload.upload_id, next);
    else others.delete(upload.upload_id);
    reportTexts.value = others;
  };
  const attach = async (file: File): Promise<void> => {
    const read = await orToast(() => texts.read(file));
    if (read) put(read);
  };
  if (!report) {
    return (
      <FileButton
        label={words.chooseReport}
        accept=".pdf,.txt,.text,.md"
        onFiles={([file]) => file && void attach(file)}
      />
    );
  }
  return (
    <span class="work-report">
      {report.name}
      <IconButton icon="close" label={words.removeReport(report.name)} onClick={() => put(null)} />
    </span>
  );
}
