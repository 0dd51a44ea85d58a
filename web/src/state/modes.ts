/** What takes something for itself while it is on, as a tool takes a slide's clicks: one at a time, the last begun. */
import { useLayoutEffect, useRef } from "preact/hooks";

interface Mode {
  readonly takes: readonly string[];
  readonly end: () => void;
}

const modes = new Set<Mode>();

/** Be on until something else takes the same; takes: names of it, such as the keys of slides for their clicks. */
export function useMode(isOn: boolean, takes: readonly string[], end: () => void): void {
  const latest = useRef(end);
  latest.current = end;
  useLayoutEffect(() => {
    if (!isOn) return undefined;
    for (const other of modes) if (other.takes.some((key) => takes.includes(key))) other.end();
    const mode = { takes, end: () => latest.current() };
    modes.add(mode);
    return () => {
      modes.delete(mode);
    };
  }, [isOn, JSON.stringify(takes)]);
}
