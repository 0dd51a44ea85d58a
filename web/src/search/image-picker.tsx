/** The image to ask with: a file, an uploaded slide, or a slide of the archive. */
import type { JSX } from "preact";
import { strings } from "../strings";
import { FileButton } from "../ui/file-button";
import { change, choose, draft, mode } from "./asking";
import { ChosenImage } from "./chosen-image";
import { takesPatient } from "./draft";
import { PatientField } from "./patient-field";
import { SendingFile } from "./sending-file";
import { SlideIdField } from "./slide-id-field";
import { takeSlide } from "./taking";
import { UploadMenu } from "./upload-menu";
import { sending } from "./uploads";

const words = strings.search;

export function ImagePicker(): JSX.Element {
  const { image } = draft.value;
  if (sending.value) return <SendingFile sending={sending.value} />;
  if (!image) return <Choices />;
  return (
    <>
      <ChosenImage image={image} onClear={() => change({ image: null })} />
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
        onFile={(file) => void takeSlide(file)}
      />
      <UploadMenu />
      <span class="search-or">{words.or}</span>
      <SlideIdField
        label={words.like}
        placeholder={words.likeHint}
        value={draft.value.like}
        isMain={mode.value === "slide"}
        onInput={(like) => change({ like })}
        onChoose={(slide_id) => choose({ kind: "slide", slide: { slide_id } })}
      />
    </>
  );
}
