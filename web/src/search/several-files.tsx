/** Several slides that were given at once: one case to ask with, slides for a table, or only to be uploaded. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { archive } from "../state/archives";
import { go } from "../state/navigation";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { type NamedFile, namedFiles } from "../uploads/named-files";
import { sendFiles } from "../uploads/upload-queue";
import { askWithCase, listNearest } from "./upload-queries";

const words = strings.search;

export const severalFiles = signal<readonly File[]>([]);

/** Upload files, to be asked with or added to the archive one by one. */
export function uploadOnly(files: Promise<readonly NamedFile[]>): void {
  void files.then(sendFiles);
  go({ view: "work" });
}

export function SeveralFiles(): JSX.Element {
  const files = severalFiles.value;
  const close = (): void => {
    severalFiles.value = [];
  };
  const take = (then: (files: readonly File[]) => unknown): void => {
    close();
    then(files);
  };
  return (
    <Dialog
      open={files.length > 0}
      title={words.severalTitle(files.length)}
      onClose={close}
      actions={
        <>
          <Button kind="primary" onClick={() => take(askWithCase)}>
            {words.asCase}
          </Button>
          {archive.value && <Button onClick={() => take(listNearest)}>{strings.worklists.make}</Button>}
          <Button onClick={() => take((given) => uploadOnly(namedFiles(given)))}>{words.onlyUpload}</Button>
        </>
      }
    >
      <ul>
        {files.map(({ name }, at) => (
          <li key={`${at} ${name}`}>{name}</li>
        ))}
      </ul>
      <p class="faint">{words.severalWhy}</p>
    </Dialog>
  );
}
