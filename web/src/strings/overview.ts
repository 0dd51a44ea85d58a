import { formatCount } from "./formats";

export const overview = {
  title: (archive: string) => `Archive ${archive}`,
  contents: (slides: number, cases: number, patients: number) =>
    [
      formatCount(slides, "slide", "slides"),
      formatCount(cases, "case", "cases"),
      formatCount(patients, "patient", "patients"),
    ].join(", "),
  loading: "Making the map",
  whole: "The map always shows the whole archive: filters do not apply to it.",
  toFiltered: "Slides that match the filters",
  empty: "There are no slides in this archive yet.",
  colourBy: "Colour by",
  map: (slides: number) =>
    `Map of ${formatCount(slides, "slide", "slides")}. Arrow keys move, + and - zoom, 0 shows all. Labels can be selected in the table.`,
  method: (method: string, shown: number, all: number) =>
    `${method.toUpperCase()}: slides that look alike as a whole are near each other; distances between distant groups mean little. ${
      shown < all ? `${shown.toLocaleString("en")} of ${formatCount(all, "slide", "slides")}, a random sample.` : ""
    }`,
  lasso: "Lasso",
  lassoTip: "Draw around slides to select them, or hold Shift instead. Ctrl adds to the selection.",
  chooseSeen: "Select all in view",
  chooseSeenTip: "Select the slides that the map shows now; move and zoom it first, also with keys",
  zoomIn: "Zoom in (+)",
  zoomOut: "Zoom out (-)",
  home: "Show all (0)",
  side: "Labels and selected slides",
  counts: "Slides by label; tick a label to select its slides",
  label: "Label",
  slides: "Slides",
  share: "Share",
  percent: (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`,
  unknown: "unknown",
  rest: (count: number) => formatCount(count, "rarer label", "rarer labels"),
  chosen: (count: number) => (count ? `${formatCount(count, "slide", "slides")} selected` : "No slides selected"),
  how: "Click slides, draw a lasso around them, or tick labels.",
  collect: "Collect",
  clear: "Clear",
  notListed: (count: number) => `${formatCount(count, "more slide", "more slides")}`,
} as const;
