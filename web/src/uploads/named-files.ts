/** Files that were dropped or chosen, with the folders they lay in. */

/** name: with its folders, separated by "/"; series: the SeriesInstanceUID of a DICOM file. */
export interface NamedFile {
  readonly name: string;
  readonly file: File;
  readonly series: string | null;
}

/** As many as the server sorts at once. */
export const MOST_FILES = 2000;

const HEAD_BYTES = 262_144;

/** The files of a file chooser, of whole folders as well. */
export function namedFiles(files: Iterable<File>): Promise<NamedFile[]> {
  return Promise.all(
    [...files].slice(0, MOST_FILES + 1).map((file) => named(file.webkitRelativePath || file.name, file)),
  );
}

/** All files of what was dropped, folders opened; to be called while the event is handled. */
export async function droppedFiles(transfer: DataTransfer): Promise<NamedFile[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return namedFiles(transfer.files);
  const found: NamedFile[] = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found;
}

/** Whether a folder is among what was dropped. */
export function holdsFolder(transfer: DataTransfer): boolean {
  return [...transfer.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
}

/** The SeriesInstanceUID in the head of a DICOM file; null where there is none. */
export function seriesIn(head: Uint8Array): string | null {
  const text = new TextDecoder("latin1").decode(head);
  const at = text.indexOf("\x20\x00\x0e\x00UI");
  if (at < 0) return null;
  const [low = 0, high = 0] = head.subarray(at + 6, at + 8);
  const uid = text.slice(at + 8, at + 8 + low + 256 * high).replace(/[\0 ]+$/, "");
  return /^[0-9.]{1,64}$/.test(uid) ? uid : null;
}

async function named(name: string, file: File): Promise<NamedFile> {
  const isDicom = /\.dcm$/i.test(name);
  const head = isDicom ? new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer()) : null;
  return { name, file, series: head && seriesIn(head) };
}

async function walk(entry: FileSystemEntry, found: NamedFile[]): Promise<void> {
  if (found.length > MOST_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push(await named(entry.fullPath.replace(/^\/+/, ""), file));
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // Browsers give the entries of a folder a hundred at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const one of some) await walk(one, found);
  }
}
