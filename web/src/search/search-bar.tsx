/** The search bar: one field, a file, what was understood, and how to search. */
import type { JSX } from "preact";
import { strings } from "../strings";
import { IconButton } from "../ui/button";
import { FileButton } from "../ui/file-button";
import { Chips } from "./chips";
import { SearchField } from "./field";
import { FileDrop, takeFiles } from "./file-drop";
import { OptionsButton } from "./options";
import { pendingUpload } from "./pending-upload";
import { submitDraft } from "./query-form";
import { SeveralFiles } from "./several-files";
import { UploadMenu } from "./upload-menu";
import { UploadProgress } from "./upload-progress";
import "./search.css";

const words = strings.search;

/** The search bar, for the header. */
export function SearchBar(): JSX.Element {
  return (
    <form class="search" onSubmit={onSubmit}>
      <div class="search-row">
        <SearchField />
        <IconButton type="submit" kind="primary" icon="search" label={words.submit} />
        <FileButton
          data-file-chooser
          icon="upload"
          class="search-file"
          label={words.chooseFile}
          title={words.chooseFileHint}
          onFiles={(files) => void takeFiles(files)}
        />
        <UploadMenu />
        <OptionsButton />
      </div>
      {pendingUpload.value && <UploadProgress sending={pendingUpload.value} />}
      <Chips />
      <FileDrop />
      <SeveralFiles />
    </form>
  );
}

function onSubmit(event: Event): void {
  event.preventDefault();
  void submitDraft();
}
