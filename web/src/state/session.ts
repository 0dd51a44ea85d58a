/** Who asks: the session cookie is the server's, the page only knows whether there is one. */
import { signal } from "@preact/signals";
import { onUnauthorised } from "../api/client";
import { sessions } from "../api/endpoints";
import { type ApiError, asApiError } from "../api/error";
import type { Session } from "../api/types";
import { forgetKept, OURS } from "./tab-storage";
import { toast } from "./toasts";

/** "unknown" until the server has said; "none": a token is needed. */
export type SessionState = Session | "unknown" | "none";

export const session = signal<SessionState>("unknown");

/** Why there is no session, when that is worth saying: a wrong token, a server that does not answer. */
export const sessionError = signal<ApiError | null>(null);

/** Whether a session was open until the server no longer knew it. */
export const sessionEnded = signal(false);

/** Take the token out of a fragment "#token=..."; null when there is none. */
function tokenOf(fragment: string): string | null {
  return fragment.startsWith("#token=") ? new URLSearchParams(fragment.slice(1)).get("token") : null;
}

/** Start with the token of the address if there is one, else go on with the session of the cookie. */
export async function openSession(): Promise<void> {
  onUnauthorised(() => {
    if (currentSession()) sessionEnded.value = true;
    session.value = "none";
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") void checkPerson();
  });
  const token = tokenOf(location.hash);
  if (!token) return resume();
  history.replaceState(null, "", location.pathname + location.search);
  return logIn(token);
}

/** Start a session with a token; what is wrong with it is in `sessionError`. */
export async function logIn(token: string): Promise<void> {
  try {
    begin(await sessions.start(token));
    sessionError.value = null;
    sessionEnded.value = false;
  } catch (error) {
    session.value = "none";
    sessionError.value = asApiError(error);
  }
}

export async function logOut(): Promise<void> {
  try {
    await sessions.end();
    session.value = "none";
    forgetPerson();
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}

/** Who asks a server that asks for no token. */
const ANONYMOUS = "anonymous";

/** Who asks with a token, and so can log out. */
export function tokenSession(): Session | null {
  const open = currentSession();
  return open?.name === ANONYMOUS ? null : open;
}

/** The session, where there is one. */
export function currentSession(): Session | null {
  return typeof session.value === "string" ? null : session.value;
}

async function resume(): Promise<void> {
  try {
    begin(await sessions.current());
  } catch (error) {
    const failure = asApiError(error);
    session.value = "none";
    sessionError.value = failure.status === 401 ? null : failure;
  }
}

/** Whose searches, pasted reports and addresses this tab has. */
const PERSON = `${OURS}person`;

/** Show the page to whoever has the session; of somebody else who used this tab before, nothing is left. */
function begin(opened: Session): void {
  const before = sessionStorage.getItem(PERSON);
  session.value = opened;
  if (before !== null && before !== opened.name) forgetPerson();
  sessionStorage.setItem(PERSON, opened.name);
}

/** Another tab may have logged out, and somebody else in, meanwhile: the cookie is that of all tabs. */
async function checkPerson(): Promise<void> {
  const before = currentSession();
  if (!before) return;
  const now = await sessions.current().catch(() => null);
  if (now && now.name !== before.name) begin(now);
}

/** Forget all that the tab keeps, and load the page anew, as what is in memory may be somebody's, too. */
function forgetPerson(): void {
  forgetKept(sessionStorage, OURS);
  history.replaceState(null, "", location.pathname + location.search);
  location.reload();
}
