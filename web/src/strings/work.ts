import { formatCount, formatSize } from "./formats";

function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export const uploads = {
  title: "Uploads",
  explain: (hours: number) =>
    `Slides, whole folders, MIRAX and DICOM slides, and reports as PDF or text. Only you see them; they are deleted after ${hours} hours unless you add them to an archive.`,
  dropHint: "Drop files or folders here, or",
  chooseFiles: "Choose files",
  chooseFolder: "Choose a folder",
  tooMany: (most: number) => `These are more than ${most.toLocaleString("en")} files. Choose fewer at a time.`,
  tooLargeTitle: "File too large",
  tooLarge: (bytes: number, most: number) =>
    `It has ${formatSize(bytes)}; this server accepts up to ${formatSize(most)}.`,
  taken: (slides: number) => `${formatCount(slides, "slide", "slides")} to upload.`,
  arrived: (name: string) => `${name} is uploaded.`,
  reportAlone: "no slide of this name; drop it together with its slide",
  leftOut: (files: number) => `${formatCount(files, "file was", "files were")} left out`,
  forgetLeftOut: "Hide",
  all: (slides: number, sent: number, bytes: number) =>
    `${formatCount(slides, "slide", "slides")} on the way: ${formatSize(sent)} of ${formatSize(bytes)}`,
  states: {
    waiting: "waiting",
    checking: "the server is opening it",
    failed: "not uploaded",
  },
  sent: (sent: number, bytes: number) => `${formatSize(sent)} of ${formatSize(bytes)}`,
  files: (count: number, bytes: number) => `${formatCount(count, "file", "files")}, ${formatSize(bytes)}`,
  size: (bytes: number) => formatSize(bytes),
  retry: (retry: string, name: string) => `${retry}: ${name}`,
  cancel: (name: string) => `Cancel ${name}`,
  stopped: (files: number) =>
    `Sent in part. Choose or drop ${files > 1 ? "its files" : "the file"} again to go on; otherwise it is`,
  chooseAgain: { file: "Choose the file again", folder: "Choose its folder again" },
  otherFiles: (name: string) => `These are not the files that ${name} was begun with. Choose the same ones to go on.`,
  spacing: (name: string) => `Pixel size of ${name} in \u00b5m`,
  spacingHint: "0.5",
  spacingUnit: "\u00b5m/px",
  spacingWrong: "Enter a pixel size between 0.01 and 100, such as 0.5.",
  spacingWhy: "Pictures do not state their pixel size. 20x is about 0.5 \u00b5m/px, 40x about 0.25.",
  send: "Upload",
  ready: (count: number) => `Uploaded slides (${count})`,
  expires: (time: string) => `deleted ${time}`,
  withReport: "with report",
  search: "Search with it",
  remove: (name: string) => `Delete ${name}`,
  select: (name: string) => `Select ${name}`,
  addOne: (archive: string) => `Add to ${archive}`,
  addAll: (count: number, archive: string) => `Add ${formatCount(count, "slide", "slides")} to ${archive}`,
  none: "No uploaded slides.",
} as const;

export const work = {
  mayNot: {
    role: "Your token is for looking and searching. Ask whoever runs this server for one that may add slides.",
    server: "This server serves its archives read-only, so no slides can be added.",
    folder:
      "This server has no folder to keep slides in, so none can be added. It is started with --import-folder for that.",
  },
  add: {
    title: (archive: string) => `Add to ${archive}`,
    explain:
      "What is left empty stays unknown, and can be given later. Identifiers are removed before anything is stored.",
    slide: "Slide",
    columns: {
      slide_id: "Slide id",
      case_id: "Case",
      patient_id: "Patient",
      diagnosis: "Diagnosis",
      organ: "Organ",
      stain: "Stain",
      spacing: "\u00b5m/px",
    },
    report: "Report",
    noReport: "none",
    reportOf: (name: string) => `Report file for ${name}`,
    chooseReport: "Attach",
    removeReport: (name: string) => `Do not attach ${name}`,
    fillAll: "For all",
    fill: (column: string) => `${column} of all slides`,
    cell: (column: string, name: string) => `${column} of ${name}`,
    confirm: (count: number) => `Add ${formatCount(count, "slide", "slides")}`,
    cancel: "Cancel",
    started: (count: number, archive: string) =>
      `${formatCount(count, "slide is", "slides are")} being added to ${archive}.`,
  },
  imports: {
    title: "Import folder",
    explain: "Slides that lie in the server's import folder. Tables of metadata and reports beside them are read, too.",
    again: "Look again",
    none: "The folder holds no slides.",
    count: (total: number, shown: number, fresh: number) =>
      shown < total
        ? `${formatCount(total, "slide", "slides")}; of the first ${shown.toLocaleString("en")}, ${fresh.toLocaleString("en")} not in the archive`
        : `${formatCount(total, "slide", "slides")}, ${fresh.toLocaleString("en")} not in the archive`,
    cut: "The folder holds more than can be shown here.",
    name: "File",
    size: "Size",
    changed: "Changed",
    state: "State",
    isIn: (slide: string) => `in the archive as ${slide}`,
    isNew: "not in the archive",
    refused: (reason: string) => `refused: ${reason}`,
    select: (name: string) => `Select ${name}`,
    selectNew: "Select all that are not in the archive",
    more: "Show more",
    index: (count: number) => (count ? `Add ${formatCount(count, "slide", "slides")}` : "Add slides"),
  },
  jobs: {
    title: "Jobs",
    none: "Nothing has been started yet.",
    kinds: { index: "Adding slides", encode: "Encoding an upload", erase: "Erasing", worklist: "Worklist" },
    states: { waiting: "waiting", running: "running", done: "done", failed: "failed", cancelled: "cancelled" },
    to: (archive: string) => `to ${archive}`,
    progress: (done: number, total: number | null) =>
      total === null
        ? `${done.toLocaleString("en")} done`
        : `${done.toLocaleString("en")} of ${total.toLocaleString("en")}`,
    rate: (perMinute: number, unit: "slides" | "tiles") =>
      `${perMinute < 10 ? perMinute.toFixed(1) : Math.round(perMinute)} ${unit} a minute`,
    left: (seconds: number) => `${formatDuration(seconds)} left`,
    outcome: (added: number, updated: number, unchanged: number, refused: number) =>
      [
        added && `${added.toLocaleString("en")} added`,
        updated && `${updated.toLocaleString("en")} updated`,
        unchanged && `${unchanged.toLocaleString("en")} unchanged`,
        refused && `${refused.toLocaleString("en")} refused`,
      ]
        .filter(Boolean)
        .join(", ") || "nothing to do",
    refused: (count: number) => `${formatCount(count, "slide was", "slides were")} refused`,
    warnings: (count: number) => formatCount(count, "remark", "remarks"),
    cancel: "Cancel",
    retry: "Try the refused ones again",
    open: "Show the archive",
    started: (time: string) => `started ${time}`,
    ended: (archive: string, outcome: string) => `${archive}: ${outcome}`,
  },
} as const;
