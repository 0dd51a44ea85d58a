import { formatCount } from "./formats";

export const saved = {
  title: "Saved searches",
  none: "Nothing is saved yet. Save a search above its results to be told of new slides.",
  save: "Save this search",
  name: "Name",
  explain:
    "Only you see it. It tells you of slides that come into the archive later. Names and dates of persons are removed from its text.",
  willDelete:
    "This search uses an uploaded slide, which will be deleted. Add the slide to the archive, then search with it and save that.",
  saved: (name: string) => `${name} was saved. New slides are told in Work.`,
  everything: "All slides",
  question: {
    slide: "Like a slide",
    region: "Like a region",
    picture: "Like a picture",
    case: "Like a case",
    text: "Words",
    report: "Report",
    composed: "Image and words",
  },
  withFilters: (what: string, filters: string) => `${what}; ${filters}`,
  fresh: (count: number) => `${formatCount(count, "new slide", "new slides")}`,
  nothingNew: "Nothing new",
  notAsked: "Look for new slides",
  unknown: "Can't be searched any more",
  lastSeen: (when: string) => `Last looked at ${when}`,
  rename: (name: string) => `Rename ${name}`,
  remove: (name: string) => `Delete ${name}`,
  removed: (name: string) => `${name} was deleted.`,
  undo: "Undo",
  isNew: "New",
  isChanged: "Changed",
} as const;
