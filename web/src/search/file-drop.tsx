/** Files dropped anywhere on the page: slides are uploaded, texts are taken for reports. */
import type { JSX } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { go, view } from "../state/navigation";
import { strings } from "../strings";
import { Icon } from "../ui/icons";
import { droppedFiles, holdsFolder } from "../uploads/named-files";
import { sendFiles } from "../uploads/upload-queue";
import { mode, modes } from "./query-form";
import { readReport } from "./report-panel";
import { uploadAndSearch } from "./upload-queries";

const TEXT = /\.txt$/i;

/** Listens for files over the page, and says where they go while they hover. */
export function FileDrop(): JSX.Element | null {
  const [hovering, setHovering] = useState(false);
  useLayoutEffect(() => listen(setHovering), []);
  if (!hovering) return null;
  return (
    <div class="file-drop" aria-hidden="true">
      <div>
        <Icon name="upload" size={32} />
        {strings.search.dropHere}
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
    const file = transfer?.files[0];
    setHovering(false);
    if (!transfer || !file) return;
    event.preventDefault();
    if (view.peek() === "work" || transfer.files.length > 1 || holdsFolder(transfer)) takeToWork(transfer);
    else take(file);
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

/** Folders and several files are no question, nor is what is dropped among uploads: all of it is uploaded. */
function takeToWork(transfer: DataTransfer): void {
  void droppedFiles(transfer).then(sendFiles);
  go({ view: "work" });
}

function take(file: File): void {
  if (TEXT.test(file.name) && modes.peek().includes("report")) {
    mode.value = "report";
    void readReport(file);
    return;
  }
  if (mode.peek() !== "composed") mode.value = "slide";
  void uploadAndSearch(file);
}
