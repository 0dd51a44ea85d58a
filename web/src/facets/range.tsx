import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Bound, FacetBin, FacetField } from "../api/types";
import { fieldTitle } from "../state/field-titles";
import { go, route } from "../state/navigation";
import { strings } from "../strings";
import { type Range, rangeOf, withRange } from "./filters";

const words = strings.facets;
const WIDTH = 200;
const HEIGHT = 36;

/** How a field's numbers or dates are spread, with the bounds that narrow it; a click on a bar takes its span. */
export function FacetRange({ field }: { field: FacetField }): JSX.Element {
  const { minimum, maximum } = rangeOf(route.value.filters, field);
  const [first, last] = [field.bins[0], field.bins.at(-1)];
  const narrow = (range: Range): void => go({ filters: withRange(route.peek().filters, field, range), page: 1 });
  const title = fieldTitle(field.field);
  const inputs = { kind: field.kind, first: first?.minimum ?? null, last: last?.maximum ?? null };
  return (
    <div class="facets-range">
      <Histogram field={field} range={{ minimum, maximum }} onChoose={narrow} />
      <div class="facets-bounds">
        <BoundInput
          {...inputs}
          label={words.from(title)}
          hint={inputs.first}
          value={minimum}
          onChange={(bound) => narrow({ minimum: bound, maximum })}
        />
        <span aria-hidden="true">–</span>
        <BoundInput
          {...inputs}
          label={words.to(title)}
          hint={inputs.last}
          value={maximum}
          onChange={(bound) => narrow({ minimum, maximum: bound })}
        />
      </div>
    </div>
  );
}

interface HistogramProps {
  readonly field: FacetField;
  readonly range: Range;
  readonly onChoose: (range: Range) => void;
}

/** Bars, of which those outside the range are pale; the fields below say the same to whoever does not point. */
function Histogram({ field, range, onChoose }: HistogramProps): JSX.Element {
  const { bins } = field;
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const width = WIDTH / Math.max(1, bins.length);
  const total = bins.reduce((sum, { count }) => sum + count, 0);
  return (
    <svg
      class="facets-histogram"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={words.spread(fieldTitle(field.field), total)}
    >
      {bins.map((bin, at) => {
        const height = bin.count ? Math.max(2, (bin.count / most) * HEIGHT) : 0;
        return (
          // biome-ignore lint/a11y/noStaticElementInteractions: the fields below do the same by keyboard.
          <g
            key={String(bin.minimum)}
            class={isWithin(bin, range) ? "facets-bar" : "facets-bar facets-bar-out"}
            onClick={() => onChoose(bin)}
          >
            <title>{words.bin(strings.queries.range(bin.minimum, bin.maximum), bin.count)}</title>
            <rect class="facets-bar-room" x={at * width} y={0} width={width} height={HEIGHT} />
            <rect x={at * width + 0.5} y={HEIGHT - height} width={Math.max(0.5, width - 1)} height={height} />
          </g>
        );
      })}
    </svg>
  );
}

/** Whether a bar has any of a range. */
function isWithin(bin: FacetBin, { minimum, maximum }: Range): boolean {
  return (minimum === null || bin.maximum >= minimum) && (maximum === null || bin.minimum <= maximum);
}

interface BoundInputProps {
  readonly kind: FacetField["kind"];
  readonly first: Bound;
  readonly last: Bound;
  readonly label: string;
  readonly hint: Bound;
  readonly value: Bound;
  readonly onChange: (bound: Bound) => void;
}

/** A bound; what was typed counts with Enter, or when the field is left. */
function BoundInput({ kind, first, last, label, hint, value, onChange }: BoundInputProps): JSX.Element {
  const [typed, setTyped] = useState(value === null ? "" : String(value));
  const apply = (text: string): void => {
    const bound = text.trim() === "" ? null : kind === "date" ? text : Number(text);
    if (bound !== value && !Number.isNaN(bound)) onChange(bound);
  };
  const limits = kind === "date" && first !== null && last !== null ? { min: first, max: last } : {};
  return (
    <input
      {...limits}
      class="input"
      type={kind === "date" ? "date" : "number"}
      step="any"
      aria-label={label}
      placeholder={hint === null ? "" : String(hint)}
      value={typed}
      onInput={(event) => setTyped(event.currentTarget.value)}
      onBlur={() => apply(typed)}
      onKeyDown={(event) => event.key === "Enter" && apply(typed)}
    />
  );
}
