/** Filters with counts, a field each. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { FacetField, FacetValue } from "../api/types";
import { fieldTitle, valueTitle } from "../state/field-titles";
import { go, route } from "../state/navigation";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { facets, lastFacets, wholeFacets } from "./counts";
import { chipsOf, fieldsNow, orderFields, rangeOf, selectedValues, visibleValues, withToggled } from "./filters";
import { FacetRange } from "./range";
import { WhereField } from "./where-field";
import "./facets.css";

const words = strings.facets;
const OPEN_FIELDS = 4;
const FOLDED_VALUES = 6;
const SEARCHABLE_FROM = 12;

export function FacetsPanel(): JSX.Element {
  const counts = lastFacets.value;
  const { filters, settings } = route.value;
  const narrowed = filters.length > 0 || settings.where !== null;
  const whole = wholeFacets.state.value.value;
  const fields = whole && counts ? fieldsNow(orderFields(whole.fields, whole.slides, filters), counts.fields) : [];
  const groups = (["metadata", "report"] as const).map((source) => ({
    source,
    fields: fields.filter((field) => field.source === source),
  }));
  return (
    <section class="facets" aria-label={words.title} aria-busy={facets.state.value.loading}>
      <h2>{words.title}</h2>
      {counts && <p class="faint">{narrowed ? words.slides(counts.slides) : words.allSlides(counts.slides)}</p>}
      {groups.map((group) => (
        <FacetGroup key={group.source} {...group} />
      ))}
      <WhereField />
    </section>
  );
}

function FacetGroup({ source, fields }: { source: FacetField["source"]; fields: readonly FacetField[] }) {
  if (!fields.length) return null;
  return (
    <div class="facets-group">
      {source === "report" && <h3>{words.fromReports}</h3>}
      {fields.map((field, at) => (
        <Facet key={field.field} field={field} open={source === "metadata" && at < OPEN_FIELDS} />
      ))}
    </div>
  );
}

function Facet({ field, open }: { field: FacetField; open: boolean }): JSX.Element {
  const { filters } = route.value;
  const chosen = chipsOf(filters).filter((chip) => chip.source === field.source && chip.field === field.field).length;
  const spread = field.kind === "number" || field.kind === "date";
  return (
    <details class="facets-field" open={open || chosen > 0}>
      <summary>
        {fieldTitle(field.field)}
        {chosen > 0 && <span class="facets-chosen">{words.chosen(chosen)}</span>}
      </summary>
      {spread ? (
        <FacetRange key={JSON.stringify(rangeOf(filters, field))} field={field} />
      ) : (
        <FacetValues field={field} />
      )}
      {field.missing > 0 && <FacetMissing field={field} />}
    </details>
  );
}

function FacetValues({ field }: { field: FacetField }): JSX.Element {
  const typed = useSignal("");
  const unfolded = useSignal(false);
  const chosen = selectedValues(route.value.filters, field).filter((value) => value !== null);
  const most = unfolded.value || typed.value ? Number.POSITIVE_INFINITY : FOLDED_VALUES;
  const { values, hidden } = visibleValues(field, chosen, typed.value, most);
  return (
    <>
      {field.values.length >= SEARCHABLE_FROM && (
        <input
          class="input facets-search"
          type="search"
          autocomplete="off"
          aria-label={words.search(fieldTitle(field.field))}
          placeholder={words.searchHint}
          value={typed.value}
          onInput={(event) => {
            typed.value = event.currentTarget.value;
          }}
        />
      )}
      {values.length === 0 && <p class="faint">{typed.value ? words.noSuchValue : words.noValues}</p>}
      <ul>
        {values.map((value) => (
          <FacetLine key={value.value} field={field} value={value} checked={chosen.map(String).includes(value.value)} />
        ))}
      </ul>
      {hidden > 0 && (
        <Button kind="quiet" class="facets-more" onClick={() => toggle(unfolded)}>
          {words.showAll(hidden)}
        </Button>
      )}
      {hidden === 0 && unfolded.value && (
        <Button kind="quiet" class="facets-more" onClick={() => toggle(unfolded)}>
          {words.showFewer}
        </Button>
      )}
      {field.more > 0 && <p class="faint">{words.beyond(field.more)}</p>}
    </>
  );
}

/** Slides without a value. */
function FacetMissing({ field }: { field: FacetField }): JSX.Element {
  const { filters } = route.value;
  const checked = selectedValues(filters, field).includes(null);
  const press = (): void => go({ filters: withToggled(route.peek().filters, field, null), page: 1 });
  return (
    <label class="facets-value">
      <input type="checkbox" checked={checked} onChange={press} />
      <span class="faint">{words.noValue}</span>
      <span class="facets-count">{field.missing.toLocaleString("en")}</span>
    </label>
  );
}

function toggle(unfolded: { value: boolean }): void {
  unfolded.value = !unfolded.value;
}

function FacetLine(props: { field: FacetField; value: FacetValue; checked: boolean }): JSX.Element {
  const { field, value, checked } = props;
  const press = (): void => go({ filters: withToggled(route.peek().filters, field, value.value), page: 1 });
  return (
    <li>
      <label class="facets-value">
        <input type="checkbox" checked={checked} onChange={press} />
        <span>{valueTitle(value.value, field.source)}</span>
        <span class="facets-count">{value.count.toLocaleString("en")}</span>
      </label>
    </li>
  );
}
