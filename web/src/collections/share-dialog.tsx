/** With whom a collection is shared: colleagues by name, or everybody on the server. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Collection, CollectionSharing, SharedAccess } from "../api/types";
import { currentSession } from "../state/session";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Field, TextField } from "../ui/field";
import { shareCollection } from "./store";

const words = strings.collections;
const LONGEST = 64;

export function ShareDialog({
  collection,
  open,
  onClose,
}: {
  collection: Collection;
  open: boolean;
  onClose: () => void;
}): JSX.Element {
  return (
    <Dialog open={open} title={words.shareTitle(collection.name)} onClose={onClose}>
      <Sharing collection={collection} />
    </Dialog>
  );
}

function Sharing({ collection }: { collection: Collection }): JSX.Element {
  const sharing = collection.sharing ?? { people: [], everybody: null };
  const change = (changes: Partial<CollectionSharing>): Promise<boolean> =>
    shareCollection(collection.collection_id, { ...sharing, ...changes });
  const others = (name: string): CollectionSharing["people"] => sharing.people.filter((one) => one.name !== name);
  return (
    <div class="collections-share">
      <NewColleague onName={(name, access) => change({ people: [...others(name), { name, access }] })} />
      <ul class="collections-people" aria-label={words.sharedWith}>
        {sharing.people.map(({ name, access }) => (
          <li key={name}>
            <span>{name}</span>
            <AccessChoice
              label={words.accessOf(name)}
              value={access}
              onChoose={(chosen) => chosen && void change({ people: [...others(name), { name, access: chosen }] })}
            />
            <IconButton
              icon="close"
              label={words.unshare(name)}
              onClick={() => void change({ people: others(name) })}
            />
          </li>
        ))}
      </ul>
      <Field label={words.everybody}>
        {(id) => (
          <AccessChoice
            id={id}
            value={sharing.everybody}
            optional
            onChoose={(everybody) => void change({ everybody })}
          />
        )}
      </Field>
      <p class="faint">{words.shareExplain}</p>
    </div>
  );
}

function NewColleague({ onName }: { onName: (name: string, access: SharedAccess) => Promise<boolean> }): JSX.Element {
  const name = useSignal("");
  const access = useSignal<SharedAccess>("read");
  const isOwn = name.value.trim() === currentSession()?.name;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const text = name.value.trim();
    if (text && (await onName(text, access.value))) name.value = "";
  };
  return (
    <form class="collections-colleague" onSubmit={submit}>
      <TextField
        label={words.colleague}
        maxLength={LONGEST}
        spellcheck={false}
        value={name.value}
        onValue={(text) => {
          name.value = text;
        }}
      />
      <AccessChoice
        label={words.mayDo}
        value={access.value}
        onChoose={(chosen) => {
          access.value = chosen ?? "read";
        }}
      />
      <Button type="submit" kind="primary" disabled={!name.value.trim() || isOwn}>
        {words.share}
      </Button>
    </form>
  );
}

interface AccessChoiceProps {
  readonly id?: string;
  readonly label?: string;
  readonly value: SharedAccess | null;
  /** Whether nothing can be chosen. */
  readonly optional?: boolean;
  readonly onChoose: (access: SharedAccess | null) => void;
}

function AccessChoice({ id, label, value, optional = false, onChoose }: AccessChoiceProps): JSX.Element {
  return (
    <select
      class="select"
      id={id}
      aria-label={label}
      value={value ?? ""}
      onChange={(event) => onChoose((event.currentTarget.value || null) as SharedAccess | null)}
    >
      {optional && <option value="">{words.access.none}</option>}
      <option value="read">{words.access.read}</option>
      <option value="edit">{words.access.edit}</option>
    </select>
  );
}
