/** Saves the search of the address, under a name. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { archive } from "../state/archives";
import { route } from "../state/navigation";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { Note } from "../ui/status";
import { asksWithUpload, contentOf } from "./requests";
import { saveSearch } from "./store";

const words = strings.saved;
const LONGEST_NAME = 200;

export function SaveSearch({ suggestion = "" }: { suggestion?: string }): JSX.Element {
  const open = useSignal(false);
  const close = (): void => {
    open.value = false;
  };
  return (
    <>
      <Button
        icon="history"
        onClick={() => {
          open.value = true;
        }}
      >
        {words.save}
      </Button>
      <Dialog open={open.value} title={words.save} onClose={close}>
        {asksWithUpload(route.value.query) ? (
          <Note>{words.willDelete}</Note>
        ) : (
          <NameForm suggestion={suggestion} onDone={close} />
        )}
      </Dialog>
    </>
  );
}

function NameForm({ suggestion, onDone }: { suggestion: string; onDone: () => void }): JSX.Element {
  const name = useSignal(suggestion.slice(0, LONGEST_NAME));
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    const asked = archive.peek();
    const text = name.value.trim();
    if (asked && text && (await saveSearch(contentOf(route.peek(), asked, text)))) onDone();
  };
  return (
    <form class="saved-form" onSubmit={save}>
      <TextField
        label={words.name}
        maxLength={LONGEST_NAME}
        value={name.value}
        onValue={(text) => {
          name.value = text;
        }}
      />
      <p class="faint">{words.explain}</p>
      <Button type="submit" kind="primary" disabled={!name.value.trim()}>
        {words.save}
      </Button>
    </form>
  );
}
