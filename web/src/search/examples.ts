import type { ArchiveInfo, FacetField, Facets, Query, Slide } from "../api/types";

/** A query that the archive itself suggests, for those who look at it for the first time. */
export interface Example {
  readonly kind: "words" | "without" | "like";
  readonly words: string;
  readonly without: string;
  readonly slide: Slide | null;
  readonly query: Query;
}

const WORDY = ["diagnosis", "organ"];
// A value that most slides have, such as "neoplasm", makes a dull example.
const DULL_SHARE = 0.6;

/** Values of a field that are words, the most frequent first. */
function wordsIn(facets: Facets, field: string, source: FacetField["source"]): string[] {
  const facet = facets.fields.find((one) => one.field === field && one.source === source);
  return (facet?.values ?? [])
    .filter(({ value, count }) => /[a-z]{3}/i.test(value) && count < DULL_SHARE * facets.slides)
    .map(({ value }) => (source === "report" ? value.replace(/[-_]/g, " ") : value));
}

/** What can be asked for in words, each once: what the archive's own columns say before what reports state. */
function topics(facets: Facets): string[] {
  const values = WORDY.flatMap((field) => [...wordsIn(facets, field, "metadata"), ...wordsIn(facets, field, "report")]);
  const isFirst = (value: string, at: number) =>
    values.findIndex((other) => other.toLowerCase() === value.toLowerCase()) === at;
  return values.filter(isFirst);
}

function textExample(words: string, without: string): Example {
  const query: Query = without ? { kind: "text", text: words, without } : { kind: "text", text: words };
  return { kind: without ? "without" : "words", words, without, slide: null, query };
}

function likeExample(slide: Slide): Example {
  return {
    kind: "like",
    words: "",
    without: "",
    slide,
    query: { kind: "slide", slide: { slide_id: slide.slide_id } },
  };
}

/** Up to three texts (where the archive reads any) and up to three slides; random gives numbers from 0 below 1. */
export function examplesOf(
  archive: Pick<ArchiveInfo, "reads_text">,
  facets: Facets,
  slides: readonly Slide[],
  random: () => number,
): Example[] {
  const words = archive.reads_text ? topics(facets) : [];
  const absent = wordsIn(facets, "finding", "report").find((value) => value !== words[0]);
  const texts = words.slice(0, 2).map((value) => textExample(value, ""));
  const first = words[0];
  const without = first && absent ? [textExample(first, absent)] : [];
  return [...texts, ...without, ...sampled(slides, 3, random).map(likeExample)];
}

function sampled<Item>(items: readonly Item[], most: number, random: () => number): Item[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, most)
    .map(({ item }) => item);
}
