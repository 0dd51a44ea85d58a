import type { Channel, Result } from "../api/types";
import { strings } from "../strings";

const words = strings.results;

/** The channels that found a result, as text, the best rank first; those of what to exclude come last. */
export function channelsText({ ways, query_slide }: Pick<Result, "ways" | "query_slide">): string {
  const wanted = ways.filter(({ weight }) => weight >= 0).sort((a, b) => a.rank - b.rank);
  const unwanted = ways.filter(({ weight }) => weight < 0);
  // Every result has a place for what is not wanted, and the last of these is the best: ranks would say the contrary.
  const parts = [...wanted.map(describeChannel), ...unwanted.map(({ name }) => describeUnwanted(name))];
  const nearest = query_slide > 0 ? [words.nearestTo(query_slide + 1)] : [];
  return parts.length + nearest.length ? words.channels([...parts, ...nearest].join(", ")) : "";
}

function describeChannel({ name, rank }: Channel): string {
  return words.channel(translateName(name), rank);
}

function describeUnwanted(name: string): string {
  return words.unwantedChannel(translateName(name));
}

function translateName(name: string): string {
  const names: Readonly<Record<string, string>> = words.channelNames;
  return names[name] ?? name;
}
