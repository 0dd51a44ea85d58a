/** What the question is made of, as it was understood: each part can be taken otherwise, or out. */
import type { JSX } from "preact";
import type { Part, Reading } from "../api/types";
import { fieldTitle, valueTitle } from "../state/field-titles";
import { route } from "../state/navigation";
import { strings } from "../strings";
import { IconButton } from "../ui/button";
import { Menu } from "../ui/menu";
import { ImageChip } from "./image-chip";
import { Popover } from "./popover";
import { applyChange, draft, understood, withoutPart } from "./query-form";
import { changePart, countWords } from "./readings";

const words = strings.search;

export function Chips(): JSX.Element | null {
  const { image, report, reportOf } = draft.value;
  const parts = route.value.query || route.value.filters.length ? (understood.value?.understanding.parts ?? []) : [];
  const shown = parts.filter(({ reading }) => reading.kind !== "report");
  if (!(image || report || reportOf || shown.length)) return null;
  return (
    <ul class="search-chips" aria-label={words.understood}>
      {image && <ImageChip image={image} onRemove={() => withoutPart({ image: null })} />}
      {report && <ReportChip report={report} />}
      {reportOf && (
        <li class="search-chip">
          <span>{words.reportOf(reportOf)}</span>
          <IconButton icon="close" label={words.removeReport} onClick={() => withoutPart({ reportOf: "" })} />
        </li>
      )}
      {shown.map((part) => (
        <PartChip key={part.start} part={part} text={understood.value?.text ?? ""} />
      ))}
    </ul>
  );
}

function ReportChip({ report }: { report: string }): JSX.Element {
  const label = words.report(countWords(report));
  return (
    <li class="search-chip">
      <Popover label={label} title={label}>
        <p class="search-report">{report}</p>
      </Popover>
      <IconButton icon="close" label={words.removeReport} onClick={() => withoutPart({ report: "" })} />
    </li>
  );
}

/** A part of the text; its menu has what else it could be. */
function PartChip({ part, text }: { part: Part; text: string }): JSX.Element {
  const label = readingText(part.reading);
  const items = part.others.map((reading) => ({
    label: words.takeAs(readingText(reading), reading.slides ?? null),
    run: () => applyChange(changePart(text, part, reading)),
  }));
  return (
    <li class={`search-chip search-chip-${part.reading.kind}`}>
      {items.length ? <Menu label={label} items={items} /> : <span>{label}</span>}
      <IconButton
        icon="close"
        label={words.removePart(label)}
        onClick={() => applyChange(changePart(text, part, null))}
      />
    </li>
  );
}

/** What a piece is taken for, in words. */
function readingText({ kind, text, filter }: Reading): string {
  if (kind !== "value" || !filter) return words.readings[kind](text);
  return words.valueReading(words.fieldOf(fieldTitle(filter.field), filter.source), valueTitle(text, filter.source));
}
