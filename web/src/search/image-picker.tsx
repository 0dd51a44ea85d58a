/** The image to ask with: a file, an uploaded slide, or a slide of the archive. */
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { strings } from "../strings";
import { Button } from "../ui/button";
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
      <SlideFileButton />
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

function SlideFileButton(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        class="visually-hidden"
        tabIndex={-1}
        aria-label={words.chooseFile}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) void takeSlide(file);
          event.currentTarget.value = "";
        }}
      />
      <Button data-file-chooser icon="upload" title={words.chooseFileHint} onClick={() => input.current?.click()}>
        {words.chooseFile}
      </Button>
    </>
  );
}
