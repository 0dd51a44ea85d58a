import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { SlideSource } from "./source";
import { Stage } from "./stage";
import type { Point } from "./view";

export interface StageHandle {
  readonly stage: Stage | null;
  /** Where the slide goes. */
  readonly element: RefObject<HTMLDivElement | null>;
}

/**
 * One stage for the life of a component, whatever it shows; it goes with it. onClick: with the place on the slide;
 * onStage: told the stage, and null when it goes.
 */
export function useStage(
  source: SlideSource | null,
  onClick: (place: Point) => void,
  onStage?: (stage: Stage | null) => void,
): StageHandle {
  const element = useRef<HTMLDivElement>(null);
  const [stage, setStage] = useState<Stage | null>(null);
  const click = useRef(onClick);
  click.current = onClick;
  useLayoutEffect(() => {
    if (!element.current) return;
    const made = new Stage(element.current, (place) => click.current(place));
    setStage(made);
    return () => made.destroy();
  }, []);
  useEffect(() => stage?.open(source), [stage, source]);
  useEffect(() => {
    onStage?.(stage);
    return () => onStage?.(null);
  }, [stage, onStage]);
  return { stage, element };
}
