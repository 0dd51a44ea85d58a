import type { JSX } from "preact";
import { strings } from "../strings";

const words = strings.board;

export interface PickerProps {
  /** Diagnoses that are on no column yet. */
  readonly free: readonly string[];
  readonly onPick: (label: string) => void;
  readonly label: string;
  /** What is shown before anything is picked. */
  readonly hint: string;
}

/** A choice among the archive's diagnoses. */
export function DiagnosisPicker({ free, onPick, label, hint }: PickerProps): JSX.Element {
  return (
    <select
      class="select board-pick screen-only"
      aria-label={label}
      value=""
      onChange={(event) => event.currentTarget.value && onPick(event.currentTarget.value)}
    >
      <option value="">{hint}</option>
      {free.map((one) => (
        <option key={one} value={one}>
          {one}
        </option>
      ))}
    </select>
  );
}

/** A place for one more column. */
export function AddDiagnosis({ free, onAdd }: { free: readonly string[]; onAdd: (label: string) => void }) {
  return (
    <div class="board-add screen-only">
      <DiagnosisPicker free={free} onPick={onAdd} label={words.add} hint={words.addHint} />
    </div>
  );
}
