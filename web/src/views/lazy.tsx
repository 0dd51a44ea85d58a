import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type ApiError, asApiError } from "../api/error";
import { ErrorPanel, Spinner } from "../ui/status";

/** A component whose code is loaded when it is first shown, or before. */
export type LazyComponent = ComponentType & { readonly preload: () => void };

export function lazy(load: () => Promise<ComponentType>): LazyComponent {
  let loaded: ComponentType | null = null;
  function Later(): JSX.Element {
    const [, setReady] = useState(loaded !== null);
    const [error, setError] = useState<ApiError | null>(null);
    useEffect(() => {
      if (loaded) return;
      load().then(
        (component) => {
          loaded = component;
          setReady(true);
        },
        (thrown: unknown) => setError(asApiError(thrown)),
      );
    }, []);
    if (error) return <ErrorPanel error={error} onRetry={() => location.reload()} />;
    const Loaded = loaded;
    return Loaded ? <Loaded /> : <Spinner />;
  }
  // What fails now is tried, and told, when it is shown.
  const preload = (): void => void load().catch(() => undefined);
  return Object.assign(Later, { preload });
}

/** Do something once the browser has nothing else to do. */
export function whenIdle(run: () => void): void {
  if ("requestIdleCallback" in window) requestIdleCallback(run);
  else setTimeout(run);
}
