/** Line icons on a 16 px grid, in the colour of the text around them; silent for screen readers. */
import type { JSX } from "preact";

const PATHS = {
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3 14 14",
  searchView: "M2.5 5V2.5H5M11 2.5h2.5V5M5 13.5H2.5V11M7.5 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM9.8 10.3 13.5 14",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  upload: "M8 11V2.5M4.5 6 8 2.5 11.5 6M2.5 10.5v3h11v-3",
  download: "M8 2.5V11M4.5 7.5 8 11l3.5-3.5M2.5 10.5v3h11v-3",
  compare: "M2.5 3h4.5v10H2.5zM9 3h4.5v10H9z",
  overview: "M2.5 13.5v-11M2.5 13.5h11M5.5 9.5h.01M8 6h.01M11 8h.01M10 11h.01M12 4.5h.01",
  collection: "M2.5 5h11v8.5h-11zM4 2.5h8",
  history: "M8 2.5a5.5 5.5 0 1 1-5 3.2M2.5 2.5v3.5H6M8 5v3.2l2 1.6",
  check: "M3 8.5 6.5 12 13 4.5",
  minus: "M3 8h10",
  plus: "M8 3v10M3 8h10",
  up: "M4 10l4-4 4 4",
  down: "M4 6l4 4 4-4",
  left: "M10 4 6 8l4 4",
  right: "M6 4l4 4-4 4",
  link: "M6.5 9.5l3-3M7 4.8l1.5-1.5a2.8 2.8 0 0 1 4 4L11 8.8M9 11.2l-1.5 1.5a2.8 2.8 0 0 1-4-4L5 7.2",
  unlink: "M7 4.8l1.5-1.5a2.8 2.8 0 0 1 4 4L11 8.8M9 11.2l-1.5 1.5a2.8 2.8 0 0 1-4-4L5 7.2M2.5 2.5l11 11",
  region: "M2.5 5V2.5H5M11 2.5h2.5V5M13.5 11v2.5H11M5 13.5H2.5V11",
  home: "M2.5 7.5 8 3l5.5 4.5M4 6.5v7h8v-7",
  fullscreen: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  report: "M4 2.5h5.5L12 5v8.5H4zM6 7h4M6 9.5h4",
  print: "M4.5 6V2.5h7V6M4.5 11.5h-2V6h11v5.5h-2M4.5 9.5h7v4h-7z",
  trash: "M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9",
  ruler: "M2 10.5 10.5 2 14 5.5 5.5 14zM4.5 8l1.2 1.2M6.5 6l1.8 1.8M8.5 4l1.2 1.2",
  sliders: "M3 2.5v4M3 9v4.5M8 2.5V8M8 10.5v3M13 2.5V4M13 6.5v7M1.5 6.5h3v2.5h-3zM6.5 8h3v2.5h-3zM11.5 4h3v2.5h-3z",
  camera: "M2 5h3l1.2-2h3.6L11 5h3v8H2zM8 7a2.2 2.2 0 1 0 0 4.4A2.2 2.2 0 0 0 8 7z",
  point: "M8 2.5a3.5 3.5 0 0 1 3.5 3.5C11.5 9 8 13.5 8 13.5S4.5 9 4.5 6A3.5 3.5 0 0 1 8 2.5zM8 6h.01",
  line: "M3 13 13 3M2 13h2M12 3h2",
  rectangle: "M2.5 4h11v8h-11z",
  polygon: "M8 2.5 13.5 7l-2 6.5h-7L2.5 7z",
  pencil: "M3 9c0-4 3-6 6-5.5s5 3.5 3 6.5-7 4-8.5 2.500",
  marquee:
    "M2.5 5V2.5H5M7.500 2.5h2M12 2.5h1.500V4M13.5 6.500v2M2.5 7.500v2M2.5 12v1.500H4M6.500 13.5h2M12 10.5v5M9.500 13h5",
  edit: "M3 13l.6-2.8 7.2-7.2 2.2 2.2-7.2 7.2z",
  warning: "M8 2.5 14.5 13.5h-13zM8 6.5v3.2M8 11.6h.01",
  info: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 7.2v4M8 4.9h.01",
  theme: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
  keyboard: "M1.5 4.5h13v7h-13zM4 7h.01M6.7 7h.01M9.3 7h.01M12 7h.01M5 9.3h6",
  turn: "M13 8a5 5 0 1 1-1.6-3.7M13.5 1.8v3h-3",
  turnBack: "M3 8a5 5 0 1 0 1.6-3.7M2.5 1.8v3h3",
  flip: "M8 1.5v13M6 4v8H2zM10 4v8h4z",
  align: "M4.5 2v5M2 4.5h5M11.5 9v5M9 11.5h5M6.5 6.5l3 3",
  sameScale: "M2.5 10.5v3h4.5v-3M9 10.5v3h4.5v-3M2.5 7h11M2.5 7l2-2M2.5 7l2 2M13.5 7l-2-2M13.5 7l-2 2",
  sidePanel: "M2 3h12v10H2zM10 3v10",
  share: "M6.5 3.5H2.5v10h10v-4M9 2.5h4.5V7M13.5 2.5 7 9",
  logOut: "M9.5 2.5h-6v11h6M7 8h7M11.5 5.5 14 8l-2.5 2.5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
