import type { JSX } from "preact";
import { changeSettings, typedNarrowing } from "../search/query-form";
import { fieldTitle, valueTitle } from "../state/field-titles";
import { go, route } from "../state/navigation";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Icon } from "../ui/icons";
import { type Chip, chipsBesides, isRange, withoutChip } from "./filters";
import "./facets.css";

const words = strings.facets;

/** The filters in force as chips, each to be taken away, but for those that the field shows; nothing without any. */
export function ActiveFilters(): JSX.Element | null {
  const { filters, settings } = route.value;
  const typed = typedNarrowing.value;
  const chips = chipsBesides(filters, typed.filters);
  const where = settings.where === typed.where ? null : settings.where;
  if (!chips.length && !where) return null;
  return (
    <section class="facets-chips" aria-label={words.active}>
      {chips.map((chip) => (
        <FilterChip key={JSON.stringify(chip)} chip={chip} />
      ))}
      {where && <ChipButton text={where} onRemove={() => changeSettings({ where: null })} />}
      <Button kind="quiet" onClick={clearFilters}>
        {words.clear}
      </Button>
    </section>
  );
}

/** Take all filters away. */
export function clearFilters(): void {
  const { settings } = route.peek();
  go({ filters: [], settings: { ...settings, where: null }, page: 1 });
}

function FilterChip({ chip }: { chip: Chip }): JSX.Element {
  const { value } = chip;
  const said = isRange(value) ? strings.queries.range(value.minimum, value.maximum) : valueTitle(value, chip.source);
  const text = `${fieldTitle(chip.field)}: ${said}`;
  const remove = (): void => go({ filters: withoutChip(route.peek().filters, chip), page: 1 });
  return <ChipButton text={text} onRemove={remove} />;
}

function ChipButton({ text, onRemove }: { text: string; onRemove: () => void }): JSX.Element {
  return (
    <button type="button" class="facets-chip" aria-label={words.remove(text)} onClick={onRemove}>
      {text}
      <Icon name="close" size={12} />
    </button>
  );
}
