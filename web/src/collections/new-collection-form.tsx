import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { LONGEST_NAME } from "./edit";

const words = strings.collections;

interface NewCollectionFormProps {
  readonly kind?: "primary" | "plain";
  /** Makes the collection of this name; says whether the field can be emptied. */
  readonly onName: (name: string) => Promise<boolean>;
}

/** The name of a collection that is to be made. */
export function NewCollectionForm({ kind = "plain", onName }: NewCollectionFormProps): JSX.Element {
  const name = useSignal("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const text = name.value.trim();
    if (text && (await onName(text))) name.value = "";
  };
  return (
    <form class="collections-new" onSubmit={submit}>
      <TextField
        label={words.newName}
        maxLength={LONGEST_NAME}
        value={name.value}
        onValue={(text) => {
          name.value = text;
        }}
      />
      <Button type="submit" kind={kind} disabled={!name.value.trim()}>
        {words.create}
      </Button>
    </form>
  );
}
