import type { JSX } from "preact";
import { useId, useLayoutEffect, useState } from "preact/hooks";
import { changeSettings } from "../search/query-form";
import { route } from "../state/navigation";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { facets } from "./counts";

const words = strings.facets;
const LONGEST = 2000;

/** A condition, for those who know the archive's columns. */
export function WhereField(): JSX.Element {
  const { where } = route.value.settings;
  const [typed, setTyped] = useState(where ?? "");
  useLayoutEffect(() => setTyped(where ?? ""), [where]);
  const { error } = facets.state.value;
  const refused = where && error ? error.detail || error.title : null;
  const id = useId();
  const apply = (): void => changeSettings({ where: typed.trim() || null });
  return (
    <details class="facets-field" open={where !== null}>
      <summary>{words.advanced}</summary>
      <div class="facets-where">
        <label for={id}>{words.where}</label>
        <textarea
          id={id}
          class="input"
          rows={2}
          maxLength={LONGEST}
          spellcheck={false}
          placeholder={words.whereHint}
          aria-invalid={refused !== null}
          aria-describedby={refused ? `${id}-error` : undefined}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey) return;
            event.preventDefault();
            apply();
          }}
        />
        {refused && (
          <p id={`${id}-error`} class="facets-refused" role="alert">
            {refused}
          </p>
        )}
        <Button onClick={apply}>{words.apply}</Button>
      </div>
    </details>
  );
}
