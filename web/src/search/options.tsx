/** How to search: changes take effect at once. */
import type { JSX } from "preact";
import { archive } from "../state/archives";
import { route } from "../state/navigation";
import { TARGETS, USUAL_SETTINGS } from "../state/route";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Checkbox, Field } from "../ui/field";
import { Popover } from "./popover";
import { changeSettings } from "./query-form";

const words = strings.search.options;

const PER_PAGE = [10, 20, 50, 100];
const LEAST_PERCENT = [0, 10, 25, 50, 75, 90];
const DISTANCES = ["symmetric", "maxsim", "closest", "rare", "global", "contained", "pathsearch-paper"];

/** The button that shows the options; it says how many are not as usual. */
export function OptionsButton(): JSX.Element {
  const changed = changedCount();
  return (
    <Popover label={changed ? words.changed(changed) : words.title} title={words.title}>
      <Options />
      {changed > 0 && <Button onClick={() => changeSettings(asUsual())}>{words.reset}</Button>}
    </Popover>
  );
}

// The vote is chosen beside its outcome, and the condition among the filters.
const COUNTED = ["perPage", "to", "byCase", "samePatient", "exact", "minProbability", "distance", "expand"] as const;

function changedCount(): number {
  const { settings } = route.value;
  return COUNTED.filter((name) => settings[name] !== USUAL_SETTINGS[name]).length;
}

function asUsual() {
  const { vote, where } = route.peek().settings;
  return { ...USUAL_SETTINGS, vote, where };
}

function Options(): JSX.Element {
  const { settings } = route.value;
  const column = archive.value?.calibrated_for;
  return (
    <div class="search-options">
      <Choice
        label={words.find}
        value={settings.to}
        choices={[
          ["slides", words.findSlides],
          ["reports", words.findReports],
          ...(archive.value?.measures_regions ? [["regions", words.findRegions] as const] : []),
        ]}
        onChoose={(chosen) => changeSettings({ to: TARGETS.find((one) => one === chosen) ?? USUAL_SETTINGS.to })}
      />
      <Choice
        label={words.perPage}
        value={String(settings.perPage)}
        choices={[...new Set([...PER_PAGE, settings.perPage])].sort((a, b) => a - b).map((n) => [String(n), String(n)])}
        onChoose={(count) => changeSettings({ perPage: Number(count) })}
      />
      {column && <LeastProbability column={column} />}
      <Checkbox label={words.byCase} checked={settings.byCase} onChange={(byCase) => changeSettings({ byCase })} />
      <Checkbox
        label={words.samePatient}
        checked={settings.samePatient}
        onChange={(samePatient) => changeSettings({ samePatient })}
      />
      <Advanced />
    </div>
  );
}

function LeastProbability({ column }: { column: string }): JSX.Element {
  const percent = Math.round((route.value.settings.minProbability ?? 0) * 100);
  const steps = [...new Set([...LEAST_PERCENT, percent])].sort((a, b) => a - b);
  return (
    <Choice
      label={words.least(column)}
      value={String(percent)}
      choices={steps.map((step) => [String(step), step ? words.percent(step) : words.any])}
      onChoose={(step) => changeSettings({ minProbability: Number(step) ? Number(step) / 100 : null })}
    />
  );
}

function Advanced(): JSX.Element {
  const { settings } = route.value;
  const unusual = settings.distance !== null || settings.exact || !settings.expand;
  return (
    <details open={unusual}>
      <summary>{words.advanced}</summary>
      <div class="search-options">
        <Choice
          label={words.distance}
          value={settings.distance ?? ""}
          choices={[["", words.usualDistance], ...DISTANCES.map((name) => [name, name] as const)]}
          onChoose={(distance) => changeSettings({ distance: distance || null })}
        />
        <Checkbox label={words.exact} checked={settings.exact} onChange={(exact) => changeSettings({ exact })} />
        <Checkbox label={words.expand} checked={settings.expand} onChange={(expand) => changeSettings({ expand })} />
      </div>
    </details>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly (readonly [value: string, label: string])[];
  readonly onChoose: (value: string) => void;
}

function Choice({ label, value, choices, onChoose }: ChoiceProps): JSX.Element {
  return (
    <Field label={label}>
      {(id) => (
        <select id={id} class="select" value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
          {choices.map(([one, text]) => (
            <option key={one} value={one}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
