import type { Channel, Result } from "../api/types";
import { strings } from "../strings";

const words = strings.results;

/** The ways that led to a result, in words, the best rank first: what was not wanted comes last. */
export function channelsText({ ways, query_slide }: Pick<Result, "ways" | "query_slide">): string {
  const wanted = ways.filter(({ weight }) => weight >= 0).sort((a, b) => a.rank - b.rank);
  const unwanted = ways.filter(({ weight }) => weight < 0);
  const parts = [...wanted.map(wayText), ...unwanted.map(unwantedText)];
  const nearest = query_slide > 0 ? [words.nearestTo(query_slide + 1)] : [];
  return parts.length + nearest.length ? words.found([...parts, ...nearest].join(", ")) : "";
}

function wayText({ name, rank }: Channel): string {
  return words.way(nameOf(name), rank);
}

function unwantedText({ name, rank }: Channel): string {
  return words.unwantedWay(nameOf(name), rank);
}

function nameOf(name: string): string {
  const known: Readonly<Record<string, string>> = words.ways;
  return known[name] ?? name;
}
