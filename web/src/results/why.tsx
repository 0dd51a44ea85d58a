/** Why a result has its rank: score, what led to it, how many regions matched. */
import type { JSX } from "preact";
import type { Result } from "../api/types";
import { strings } from "../strings";
import { channelsText } from "./channels";

const words = strings.results;

export function Why({ result }: { result: Result }): JSX.Element {
  const { score, matches, text_regions } = result;
  const regions = matches.length || text_regions.length;
  return (
    <details class="results-why">
      <summary>{words.why}</summary>
      <p title={words.scoreWhat}>
        {words.score} {words.figure(score)}
      </p>
      <p>{channelsText(result)}</p>
      {regions > 0 && <p>{words.regions(regions)}</p>}
    </details>
  );
}
