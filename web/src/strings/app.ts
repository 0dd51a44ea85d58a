import { formatCount, formatProbability } from "./formats";

export const app = {
  name: "histoseek",
  title: (view: string) => `${view} - histoseek`,
  skip: "Skip to the content",
  views: {
    results: "Slides",
    compare: "Compare",
    board: "Differential",
    case: "Case",
    overview: "Overview",
    collections: "Collections",
    work: "Work",
    history: "History",
  },
  navigation: "Views",
  archive: "Archive",
  noArchives: "This server has no archives.",
  unknownArchive: (name: string) => `There is no archive named ${name} on this server. Choose one of these:`,
  lostText:
    "This link is a search with a pasted report, whose text is kept only in the tab where it was pasted. Paste it again.",
  slides: (count: number) => formatCount(count, "slide", "slides"),
  patient: (patientId: string) => `Patient ${patientId}`,
  close: "Close",
  loading: "Loading",
  more: "More",
  cancel: "Cancel",
  toDark: "Switch to dark",
  toLight: "Switch to light",
  printed: (archive: string, at: string) => `Archive ${archive}, printed ${at}`,
} as const;

export const session = {
  title: "Open histoseek",
  explain:
    "This server requires a token: the one it printed when it was first started, or one made for you with histoseek tokens add.",
  ended: "The session has ended: it expired, or its token was revoked. Enter a token to continue where you were.",
  token: "Token",
  open: "Open",
  wrong: "This token is not valid.",
  logOut: "Log out",
  signedInAs: (name: string, role: string) => `${name}, ${role}`,
  roles: { read: "may read", write: "may write" },
} as const;

export const errors = {
  title: "Something went wrong",
  noAnswerTitle: "No response",
  noAnswer: "The server does not respond. Check that it is running, then try again.",
  status: (status: number) => `The server responded with status ${status}`,
  requestId: (id: string) => `Request ${id}`,
  retry: "Try again",
} as const;

export const probability = {
  short: formatProbability,
  text: (value: number, label: string | null) =>
    label ? `${formatProbability(value)} likely to be the query's ${label}` : formatProbability(value),
} as const;

export const help = {
  title: "Keyboard",
  open: "Show keyboard shortcuts",
  keys: "Key",
  does: "What it does",
  fields: "Shortcuts work everywhere except in input fields.",
  licences: "Licences of the software in this page",
  theme: "Switch between light and dark",
  focusSearch: "Go to the search field",
  view: (name: string) => `Go to ${name}`,
} as const;
