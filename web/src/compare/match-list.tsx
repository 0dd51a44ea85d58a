import type { JSX } from "preact";
import type { Match, TextRegion } from "../api/types";
import { strings } from "../strings";
import { MATCH_COLOURS, TEXT_COLOURS } from "../ui/colours";
import { inkOn } from "../viewer/frame";
import { matchId, textId, textLabel } from "./frames";

const texts = strings.compare;

export interface MatchListProps {
  readonly matches: readonly Match[];
  readonly textRegions: readonly TextRegion[];
  readonly selected: string | null;
  readonly onGo: (id: string) => void;
}

/** What matched: each leads both viewers there. */
export function MatchList({ matches, textRegions, selected, onGo }: MatchListProps): JSX.Element {
  if (!matches.length && !textRegions.length) return <p class="compare-none">{texts.noMatches}</p>;
  return (
    <ol class="compare-matches">
      {matches.map((match, place) => (
        <MatchItem
          key={matchId(place)}
          label={String(place + 1)}
          colour={MATCH_COLOURS[place]}
          name={texts.match(String(place + 1))}
          isPlaced={match.query_region !== null || match.result_region !== null}
          isSelected={selected === matchId(place)}
          figures={figuresOf(match)}
          onGo={() => onGo(matchId(place))}
        />
      ))}
      {textRegions.map(({ similarity, region }, place) => (
        <MatchItem
          key={textId(place)}
          label={textLabel(place)}
          colour={TEXT_COLOURS[place]}
          name={texts.textRegion(textLabel(place))}
          isPlaced={region !== null}
          isSelected={selected === textId(place)}
          figures={[[texts.similarity, texts.figure(similarity)]]}
          onGo={() => onGo(textId(place))}
        />
      ))}
    </ol>
  );
}

type Figures = readonly (readonly [name: string, value: string])[];

function figuresOf({ similarity, contribution }: Match): Figures {
  const gave = contribution === null ? [] : [[texts.contribution, texts.share(contribution)] as const];
  return [[texts.similarity, texts.figure(similarity)], ...gave];
}

interface MatchItemProps {
  readonly label: string;
  readonly colour: string | undefined;
  readonly name: string;
  readonly isPlaced: boolean;
  readonly isSelected: boolean;
  readonly figures: Figures;
  readonly onGo: () => void;
}

function MatchItem({ label, colour = "#5e5e5e", name, isPlaced, isSelected, figures, onGo }: MatchItemProps) {
  return (
    <li>
      <button type="button" class="compare-match" aria-pressed={isSelected} disabled={!isPlaced} onClick={onGo}>
        <span class="compare-chip" style={{ background: colour, color: inkOn(colour) }} aria-hidden="true">
          {label}
        </span>
        <span class="compare-match-name">{isPlaced ? name : texts.notPlaced(name)}</span>
        {figures.map(([what, value]) => (
          <span key={what} class="compare-figure">
            <span class="faint">{what}</span> {value}
          </span>
        ))}
      </button>
    </li>
  );
}
