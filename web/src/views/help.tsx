import type { JSX } from "preact";
import { helpOpen, shortcuts } from "../state/shortcuts";
import { strings } from "../strings";
import { Dialog } from "../ui/dialog";

/** The keyboard shortcuts of what is shown now. */
export function HelpDialog(): JSX.Element {
  const close = (): void => {
    helpOpen.value = false;
  };
  return (
    <Dialog open={helpOpen.value} title={strings.help.title} onClose={close}>
      <p>{strings.help.fields}</p>
      <dl class="shortcuts">
        {shortcuts.value.map(({ key, label }) => (
          <>
            <dt key={key}>
              <kbd>{key}</kbd>
            </dt>
            <dd>{label}</dd>
          </>
        ))}
      </dl>
      <p class="faint">
        <a href="./licenses.txt" target="_blank" rel="noreferrer">
          {strings.help.licences}
        </a>
      </p>
    </Dialog>
  );
}
