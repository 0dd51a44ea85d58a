/** The image to ask with: a file, an uploaded slide, or a slide of the archive. */
import type { JSX } from "preact";
import { strings } from "../strings";
import { FileButton } from "../ui/file-button";
import { takesPatient } from "./draft";
import { PatientField } from "./patient-field";
import { changeDraft, chooseImage, draft, mode } from "./query-form";
import { SelectedImage } from "./selected-image";
import { SlideIdField } from "./slide-id-field";
import { UploadMenu } from "./upload-menu";
import { UploadProgress } from "./upload-progress";
import { uploadAndSearch } from "./upload-queries";
import { pendingUpload } from "./uploads";

const words = strings.search;

export function ImagePicker(): JSX.Element {
  const { image } = draft.value;
  if (pendingUpload.value) return <UploadProgress sending={pendingUpload.value} />;
  if (!image) return <Choices />;
  return (
    <>
      <SelectedImage image={image} onClear={() => changeDraft({ image: null })} />
      {takesPatient(image) && <PatientField />}
    </>
  );
}

function Choices(): JSX.Element {
  return (
    <>
      <FileButton
        data-file-chooser
        icon="upload"
        label={words.chooseFile}
        title={words.chooseFileHint}
        onFile={(file) => void uploadAndSearch(file)}
      />
      <UploadMenu />
      <span class="search-or">{words.or}</span>
      <SlideIdField
        label={words.like}
        placeholder={words.likeHint}
        value={draft.value.like}
        isMain={mode.value === "slide"}
        onInput={(like) => changeDraft({ like })}
        onChoose={(slide_id) => chooseImage({ kind: "slide", slide: { slide_id } })}
      />
    </>
  );
}
