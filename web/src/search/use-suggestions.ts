import { useEffect, useState } from "preact/hooks";
import type { Slide } from "../api/types";
import { archiveName } from "../state/archives";
import { suggestSlides } from "./suggestions";

const WAIT_MS = 150;

/** Slides whose id contains what is typed, once typing pauses; none while it is null. */
export function useSuggestions(typed: string | null): readonly Slide[] {
  const [slides, setSlides] = useState<readonly Slide[]>([]);
  const archive = archiveName.value;
  useEffect(() => {
    if (typed === null || !archive) return;
    const giveUp = new AbortController();
    const ask = (): void => {
      // Suggestions are a help: without them the field still takes any id.
      suggestSlides(archive, typed, giveUp.signal).then(setSlides, () => undefined);
    };
    const timer = setTimeout(ask, WAIT_MS);
    return () => {
      clearTimeout(timer);
      giveUp.abort();
    };
  }, [archive, typed]);
  return slides;
}
