/** Messages, waiting and errors. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { ApiError } from "../api/error";
import { announcement, dismiss, type Toast, type ToastAction, toasts } from "../state/toasts";
import { strings } from "../strings";
import { Button, IconButton } from "./button";
import { Icon } from "./icons";

/** Where toasts appear, and what only screen readers are told; once on the page. */
export function StatusRegion(): JSX.Element {
  const home = useRef<HTMLDivElement>(null);
  const region = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // What has the whole screen is all that is seen and pressed.
    const move = (): void => {
      if (region.current) (document.fullscreenElement ?? home.current)?.append(region.current);
    };
    document.addEventListener("fullscreenchange", move);
    return () => document.removeEventListener("fullscreenchange", move);
  }, []);
  return (
    <div ref={home}>
      <div ref={region} class="toasts">
        <output class="visually-hidden">{announcement.value}</output>
        <div role="log" aria-live="polite">
          {toasts.value.map((one) => (
            <ShownToast key={one.id} {...one} />
          ))}
        </div>
      </div>
    </div>
  );
}

function ShownToast({ id, kind, text, action }: Toast): JSX.Element {
  return (
    <div class={`toast toast-${kind}`}>
      <Icon name={kind === "error" ? "warning" : "info"} />
      <span>{text}</span>
      {action && <Button onClick={() => act(id, action)}>{action.label}</Button>}
      <IconButton icon="close" label={strings.app.close} onClick={() => dismiss(id)} />
    </div>
  );
}

function act(id: number, action: ToastAction): void {
  dismiss(id);
  action.run();
}

/** Something is on its way. */
export function Spinner({ label = strings.app.loading }: { label?: string }): JSX.Element {
  return (
    <div class="spinner" role="status">
      <span class="spinner-wheel" aria-hidden="true" />
      {label}
    </div>
  );
}

/** What went wrong, what to do about it, and the number to name when asking for help. */
export function ErrorPanel({ error, onRetry }: { error: ApiError; onRetry?: () => void }): JSX.Element {
  return (
    <div class="panel error-panel" role="alert">
      <Icon name="warning" size={20} />
      <div>
        <h2>{error.title || strings.errors.title}</h2>
        {error.detail && <p>{error.detail}</p>}
        {error.requestId && <p class="faint">{strings.errors.requestId(error.requestId)}</p>}
        {onRetry && <Button onClick={onRetry}>{strings.errors.retry}</Button>}
      </div>
    </div>
  );
}

/** A message that stays: a warning, or a hint where nothing is to be seen yet. */
export function Note({ kind = "info", children }: { kind?: "info" | "warning"; children: preact.ComponentChildren }) {
  return (
    <div class={`panel note note-${kind}`} role={kind === "warning" ? "alert" : undefined}>
      <Icon name={kind} />
      <div>{children}</div>
    </div>
  );
}
