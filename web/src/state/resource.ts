/** Values that come from the server: on their way, here, or refused. */
import { computed, effect, type ReadonlySignal, type Signal, signal, untracked, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type ApiError, asApiError, isAbort } from "../api/error";

/** value: the last one that came, also while another is on its way; error: why the last try failed. */
export interface ResourceState<Value> {
  readonly loading: boolean;
  readonly value: Value | null;
  readonly error: ApiError | null;
}

export interface Resource<Value> {
  readonly state: ReadonlySignal<ResourceState<Value>>;
  /** Ask again. */
  reload(): void;
  /** Give up what is on its way, and follow the key no longer. */
  dispose(): void;
}

/** The resources whose last try had no answer, as functions that ask again. */
const unanswered = new Set<() => void>();

/** Ask again for everything that had no answer. */
export function reloadUnanswered(): void {
  for (const reload of [...unanswered]) reload();
}

/**
 * A value that follows `key`: asked for anew whenever the key changes (compared as JSON), given up when it changes
 * again; nothing is asked while the key is null.
 */
export function resource<Key, Value>(
  key: () => Key | null,
  load: (key: Key, signal: AbortSignal) => Promise<Value>,
): Resource<Value> {
  const state = signal<ResourceState<Value>>(NOTHING);
  const tries = signal(0);
  const written = computed(() => JSON.stringify(key()));
  const reload = (): void => {
    tries.value += 1;
  };
  const dispose = effect(() => {
    tries.value;
    const wanted = JSON.parse(written.value) as Key | null;
    if (wanted === null) {
      state.value = NOTHING;
      return undefined;
    }
    const giveUp = started(
      state,
      (abort) => load(wanted, abort),
      () => unanswered.add(reload),
    );
    return () => {
      unanswered.delete(reload);
      giveUp();
    };
  });
  return { state, reload, dispose };
}

/** A resource of a component: `key` may change between renderings, `load` may not. */
export function useResource<Key, Value>(
  key: Key | null,
  load: (key: Key, signal: AbortSignal) => Promise<Value>,
): ResourceState<Value> & Pick<Resource<Value>, "reload"> {
  const followed = useSignal(key);
  followed.value = key;
  const made = useMemo(() => resource(() => followed.value, load), []);
  useEffect(() => made.dispose, [made]);
  return { ...made.state.value, reload: made.reload };
}

const NOTHING = Object.freeze({ loading: false, value: null, error: null });

type State<Value> = Signal<ResourceState<Value>>;

function started<Value>(
  state: State<Value>,
  load: (signal: AbortSignal) => Promise<Value>,
  onUnanswered: () => void,
): () => void {
  const giveUp = new AbortController();
  state.value = { ...state.peek(), loading: true, error: null };
  untracked(() => load(giveUp.signal)).then(
    (value) => {
      if (!giveUp.signal.aborted) state.value = { loading: false, value, error: null };
    },
    (error: unknown) => {
      if (giveUp.signal.aborted || isAbort(error)) return;
      const failure = asApiError(error);
      state.value = { loading: false, value: null, error: failure };
      if (failure.status === 0) onUnanswered();
    },
  );
  return () => giveUp.abort();
}
