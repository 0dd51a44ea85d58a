/** How to search: changes take effect at once. */
import type { JSX } from "preact";
import { archive } from "../state/archives";
import { route } from "../state/navigation";
import { TARGETS, USUAL_SETTINGS } from "../state/route";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Checkbox, Field, TextField } from "../ui/field";
import { takesPatient } from "./draft";
import { Popover } from "./popover";
import { changeDraft, changeSettings, draft, submitDraft } from "./query-form";

const search = strings.search;
const words = search.options;

const PER_PAGE = [10, 20, 50, 100];
const LEAST_PERCENT = [0, 10, 25, 50, 75, 90];
const DISTANCES = ["symmetric", "maxsim", "closest", "rare", "global", "contained", "pathsearch-paper"];

/** The button that shows the options; it says how many are not as usual. */
export function OptionsButton(): JSX.Element {
  const changed = changedCount();
  return (
    <Popover icon="more" label={changed ? words.changed(changed) : words.title} title={words.title}>
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
      <OfQuestion />
      <Advanced />
    </div>
  );
}

/** What is of the question: whose slides are left out, and how much words count beside a slide. */
function OfQuestion(): JSX.Element | null {
  const { image, report, text, weight } = draft.value;
  const percent = Math.round(weight * 100);
  const isOfUpload = image !== null && takesPatient(image);
  return (
    <>
      {(isOfUpload || (!image && (report || text))) && <PatientField />}
      {image && (
        <Field label={search.weight}>
          {(id) => (
            <span class="search-weight">
              <span aria-hidden="true">{search.weightEnds.image}</span>
              <input
                id={id}
                type="range"
                min={0}
                max={100}
                step={5}
                value={percent}
                aria-valuetext={search.weightText(percent)}
                title={search.weightText(percent)}
                onInput={(event) => changeDraft({ weight: Number(event.currentTarget.value) / 100 })}
                onChange={() => void submitDraft()}
              />
              <span aria-hidden="true">{search.weightEnds.words}</span>
            </span>
          )}
        </Field>
      )}
    </>
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

/** The patient of what is asked with, whose slides are to be left out. */
function PatientField(): JSX.Element {
  return (
    <TextField
      label={search.patient}
      maxLength={200}
      placeholder={search.patientHint}
      value={draft.value.patient}
      onValue={(patient) => changeDraft({ patient })}
    />
  );
}
