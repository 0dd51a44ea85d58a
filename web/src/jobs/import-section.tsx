/** Slides that lie in the server's import folder: which of them the archive has, and adding the others. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { jobs } from "../api/endpoints";
import { type ApiError, asApiError } from "../api/error";
import type { ImportFile, ImportListing } from "../api/types";
import { archiveChanges, archiveName } from "../state/archives";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { startJob } from "./jobs";

const words = strings.work.imports;
const MOST_OF_A_JOB = 1000;

export function ImportSection(): JSX.Element {
  const items = useSignal<readonly ImportFile[]>([]);
  const last = useSignal<ImportListing | null>(null);
  const error = useSignal<ApiError | null>(null);
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const look = async (after: string | null): Promise<void> => {
    try {
      const page = await jobs.importFolder(archiveName.peek(), after);
      items.value = after ? [...items.peek(), ...page.items] : page.items;
      last.value = page;
      error.value = null;
    } catch (refused) {
      error.value = asApiError(refused);
    }
  };
  const name = archiveName.value;
  const changes = archiveChanges.value;
  useEffect(() => {
    chosen.value = new Set();
    if (name) void look(null);
  }, [name, changes]);
  const index = async (): Promise<void> => {
    const files = [...chosen.value].map((file) => ({ name: file }));
    for (let from = 0; from < files.length; from += MOST_OF_A_JOB) {
      if (!(await startJob(name, { uploads: [], files: files.slice(from, from + MOST_OF_A_JOB) }))) return;
    }
    chosen.value = new Set();
  };
  return (
    <section class="work-section" aria-labelledby="work-imports">
      <div class="work-ready-head">
        <h2 id="work-imports">{words.title}</h2>
        <Button onClick={() => void look(null)}>{words.again}</Button>
      </div>
      <p>{words.explain}</p>
      {error.value && <ErrorPanel error={error.value} onRetry={() => void look(null)} />}
      {!last.value && !error.value && <Spinner />}
      {last.value && !items.value.length && <Note>{words.none}</Note>}
      {items.value.length > 0 && (
        <Files
          total={last.value?.total ?? 0}
          items={items.value}
          chosen={chosen.value}
          onChoose={(next) => (chosen.value = next)}
        />
      )}
      {last.value?.is_cut && <Note kind="warning">{words.cut}</Note>}
      <div class="work-buttons">
        {last.value?.next && <Button onClick={() => void look(last.value?.next ?? null)}>{words.more}</Button>}
        {items.value.length > 0 && (
          <Button kind="primary" icon="plus" disabled={!chosen.value.size} onClick={() => void index()}>
            {words.index(chosen.value.size)}
          </Button>
        )}
      </div>
    </section>
  );
}

interface FilesProps {
  readonly total: number;
  readonly items: readonly ImportFile[];
  readonly chosen: ReadonlySet<string>;
  readonly onChoose: (chosen: ReadonlySet<string>) => void;
}

function Files({ total, items, chosen, onChoose }: FilesProps): JSX.Element {
  const fresh = items.filter(({ slide_id }) => slide_id === null).map(({ name }) => name);
  const toggle = (name: string): void => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    onChoose(next);
  };
  const all = fresh.length > 0 && fresh.every((name) => chosen.has(name));
  return (
    <>
      <p class="faint">{words.count(total, items.length, fresh.length)}</p>
      <div class="table-room work-imports">
        <table class="table table-stacked">
          <thead>
            <tr>
              <th scope="col">
                <input
                  type="checkbox"
                  aria-label={words.selectNew}
                  checked={all}
                  disabled={!fresh.length}
                  onChange={() => onChoose(all ? new Set() : new Set(fresh))}
                />
                <span class="work-all" aria-hidden="true">
                  {words.selectNew}
                </span>
              </th>
              <th scope="col">{words.name}</th>
              <th scope="col" class="number">
                {words.size}
              </th>
              <th scope="col">{words.changed}</th>
              <th scope="col">{words.state}</th>
            </tr>
          </thead>
          <tbody>
            {items.map((file) => (
              <FileRow key={file.name} file={file} chosen={chosen.has(file.name)} onToggle={() => toggle(file.name)} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function FileRow({ file, chosen, onToggle }: { file: ImportFile; chosen: boolean; onToggle: () => void }): JSX.Element {
  const { name, bytes, changed, slide_id, refused } = file;
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          aria-label={words.select(name)}
          checked={chosen}
          disabled={slide_id !== null}
          onChange={onToggle}
        />
      </td>
      <td class="work-name">{name}</td>
      <td class="number">{strings.uploads.size(bytes)}</td>
      <td>
        <time dateTime={changed}>{new Date(changed).toLocaleDateString()}</time>
      </td>
      <td class={refused ? "work-refused" : undefined}>
        {slide_id !== null ? words.isIn(slide_id) : refused ? words.refused(refused) : words.isNew}
      </td>
    </tr>
  );
}
