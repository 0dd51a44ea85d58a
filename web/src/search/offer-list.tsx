import type { JSX } from "preact";
import type { Completion } from "../api/types";
import { fieldTitle, valueTitle } from "../state/field-titles";
import { strings } from "../strings";
import { Icon, type IconName } from "../ui/icons";
import type { Offer } from "./completions";

const words = strings.search;

export interface OfferListProps {
  readonly id: string;
  readonly offers: readonly Offer[];
  readonly active: number;
  readonly onTake: (offer: Offer) => void;
}

/** The list below the field; the field keeps the focus. */
export function OfferList({ id, offers, active, onTake }: OfferListProps): JSX.Element {
  return (
    <div id={id} class="search-offers" role="listbox" aria-label={words.offers} hidden={!offers.length}>
      {offers.map((offer, at) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: keys are taken by the field.
        // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus.
        <div
          key={keyOf(offer)}
          id={`${id}-${at}`}
          class="search-offer"
          role="option"
          aria-selected={at === active}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onTake(offer)}
        >
          {offer.kind === "past" ? <Past offer={offer} /> : <Completed completion={offer.completion} />}
        </div>
      ))}
    </div>
  );
}

function keyOf(offer: Offer): string {
  return offer.kind === "past" ? offer.search.href : JSON.stringify(offer.completion.filter);
}

function Past({ offer: { search } }: { offer: Extract<Offer, { kind: "past" }> }): JSX.Element {
  return (
    <>
      <Icon name="history" />
      <span class="search-offer-text">{[search.label, search.filters].filter(Boolean).join("; ")}</span>
    </>
  );
}

const ICONS: Record<Completion["kind"], IconName> = {
  value: "check",
  slide: "home",
  patient: "collection",
  case: "collection",
};

function Completed({ completion }: { completion: Completion }): JSX.Element {
  const { kind, text, slides, filter } = completion;
  const field = kind === "value" ? words.fieldOf(fieldTitle(filter.field), filter.source) : words.namedKinds[kind];
  return (
    <>
      <Icon name={ICONS[kind]} />
      <span class="search-offer-text">{kind === "value" ? valueTitle(text, filter.source) : text}</span>
      <span class="search-offer-kind">
        {field}
        {kind !== "slide" && ` \u00b7 ${strings.app.slides(slides)}`}
      </span>
    </>
  );
}
