/** Files dropped anywhere on the page: slides are uploaded, texts and PDFs are reports to ask with. */
import type { JSX } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { texts } from "../api/endpoints";
import { view } from "../state/navigation";
import { orToast, toast } from "../state/toasts";
import { strings } from "../strings";
import { Icon } from "../ui/icons";
import { droppedFiles, holdsFolder } from "../uploads/named-files";
import { changeDraft, draft } from "./query-form";
import { severalFiles, uploadOnly } from "./several-files";
import { uploadAndSearch } from "./upload-queries";

const words = strings.search;
const REPORT = /\.(txt|pdf)$/i;

/** Listens for files over the page, and says where they go while they hover. */
export function FileDrop(): JSX.Element | null {
  const [hovering, setHovering] = useState(false);
  useLayoutEffect(() => listen(setHovering), []);
  if (!hovering) return null;
  return (
    <div class="file-drop" aria-hidden="true">
      <div>
        <Icon name="upload" size={32} />
        {words.dropHere}
      </div>
    </div>
  );
}

function listen(setHovering: (hovering: boolean) => void): () => void {
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    setHovering(true);
  };
  const leave = (event: DragEvent): void => {
    if (event.relatedTarget === null) setHovering(false);
  };
  const drop = (event: DragEvent): void => {
    const transfer = event.dataTransfer;
    setHovering(false);
    if (!transfer?.files.length) return;
    event.preventDefault();
    // Folders are no question, nor is what is dropped among uploads.
    if (view.peek() === "work" || holdsFolder(transfer)) uploadOnly(droppedFiles(transfer));
    else void takeFiles([...transfer.files]);
  };
  addEventListener("dragover", over);
  addEventListener("dragleave", leave);
  addEventListener("drop", drop);
  return () => {
    removeEventListener("dragover", over);
    removeEventListener("dragleave", leave);
    removeEventListener("drop", drop);
  };
}

/** Take files: reports are read, a slide is asked with; of several slides it is asked what they are. */
export async function takeFiles(files: readonly File[]): Promise<void> {
  const slides = files.filter(({ name }) => !REPORT.test(name));
  const first = slides[0];
  if (slides.length > 1) severalFiles.value = slides;
  else if (first) void uploadAndSearch(first);
  for (const file of files.filter(({ name }) => REPORT.test(name))) await readReport(file);
}

/** Several reports are one text, one below the other. */
async function readReport(file: File): Promise<void> {
  const text = (await orToast(() => texts.read(file)))?.text.trim();
  if (text) changeDraft({ report: [draft.peek().report, text].filter(Boolean).join("\n\n"), reportOf: "" });
  else if (text === "") toast(words.noText(file.name), "error");
}
