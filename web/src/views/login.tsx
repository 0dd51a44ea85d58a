import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { focusSearch } from "../search/focus";
import { currentSession, logIn, sessionEnded, sessionError } from "../state/session";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Field } from "../ui/field";
import { ErrorPanel, Note } from "../ui/status";

/** Asks for the token where there is no session. */
export function Login(): JSX.Element {
  const [token, setToken] = useState("");
  const [waiting, setWaiting] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setWaiting(true);
    await logIn(token.trim());
    setWaiting(false);
    if (currentSession()) requestAnimationFrame(focusSearch);
  };
  return (
    <main class="centred">
      <form class="login" onSubmit={submit}>
        <h1>{strings.session.title}</h1>
        <p>{strings.session.explain}</p>
        <Field label={strings.session.token}>
          {(id) => (
            <input
              id={id}
              class="input"
              type="password"
              autocomplete="current-password"
              required
              value={token}
              onInput={(event) => setToken(event.currentTarget.value)}
            />
          )}
        </Field>
        <Refusal />
        <Button kind="primary" type="submit" disabled={waiting}>
          {strings.session.open}
        </Button>
      </form>
    </main>
  );
}

function Refusal(): JSX.Element | null {
  const error = sessionError.value;
  if (!error) return sessionEnded.value ? <Note kind="warning">{strings.session.ended}</Note> : null;
  return error.status === 401 ? <Note kind="warning">{strings.session.wrong}</Note> : <ErrorPanel error={error} />;
}
