/** The image to ask with: a file, an uploaded slide, or a slide of the archive. */
import { useSignal } from "@preact/signals";
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
  const typed = useSignal("");
  const chosen = (slide_id: string): void => {
    typed.value = "";
    choose({ kind: "slide", slide: { slide_id } });
  };
  return (
    <>
      <SlideFileButton />
      <UploadMenu />
      <span class="search-or">{words.or}</span>
      <SlideIdField
        label={words.like}
        placeholder={words.likeHint}
        value={typed.value}
        isMain={mode.value === "slide"}
        onInput={(value) => {
          typed.value = value;
        }}
        onChoose={chosen}
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
      <Button icon="upload" title={words.chooseFileHint} onClick={() => input.current?.click()}>
        {words.chooseFile}
      </Button>
    </>
  );
}
