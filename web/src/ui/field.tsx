/** Fields of forms with their labels. */
import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

/** A label above whatever takes the id. */
export function Field({
  label,
  children,
}: {
  label: string;
  children: (id: string) => ComponentChildren;
}): JSX.Element {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id)}
    </div>
  );
}

/** A box to tick, with its label beside it. */
export function Checkbox(props: { label: ComponentChildren; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label class="checkbox">
      <input
        type="checkbox"
        checked={props.checked}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <span>{props.label}</span>
    </label>
  );
}

export interface TextFieldProps
  extends Pick<JSX.IntrinsicElements["input"], "maxLength" | "placeholder" | "spellcheck"> {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

/** A line of text with its label. */
export function TextField({ label, onValue, ...input }: TextFieldProps): JSX.Element {
  return (
    <Field label={label}>
      {(id) => (
        <input
          {...input}
          id={id}
          class="input"
          type="text"
          autocomplete="off"
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}
