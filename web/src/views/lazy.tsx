import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type ApiError, asApiError } from "../api/error";
import { ErrorPanel, Spinner } from "../ui/status";

/** A component whose code is loaded when it is first shown. */
export function lazy(load: () => Promise<ComponentType>): ComponentType {
  let loaded: ComponentType | null = null;
  return function Later(): JSX.Element {
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
  };
}
