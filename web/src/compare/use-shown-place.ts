import { computed } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { route, show } from "../state/navigation";
import { placeName, placeText, type ShownPlace, type Side, shownPlace } from "../state/shown-place";
import type { Stage } from "../viewer/stage";
import { isHome, showsSlide } from "../viewer/view";

/** The address is written once a slide has been still for so long: browsers limit how often it may be. */
const STILL_MS = 300;

/** Have a stage and the address show the same place of a slide; null for a slide that no address names. */
export function useShownPlace(stage: Stage | null, side: Side, slide: string | null): void {
  const open = useMemo(() => computed(() => stage?.view.value != null), [stage]);
  const isOpen = open.value;
  const place = slide === null ? null : shownPlace(route.value, side, slide);
  const wanted = place && slide !== null ? placeText(place, slide) : null;
  // As written here last, which is not to be gone to again.
  const written = useRef<string | null>(null);
  useEffect(() => {
    if (!isOpen || !place || wanted === written.current) return;
    written.current = wanted;
    goTo(stage, place);
  }, [stage, isOpen, wanted]);
  useEffect(() => {
    if (!stage || !isOpen || slide === null) return undefined;
    return onceStill(stage, () => {
      const now = shownBy(stage);
      const text = now && placeText(now, slide);
      // A slide that nobody moved needs no place.
      if (!text || text === written.current || (written.current === null && isAtHome(stage))) return;
      written.current = text;
      show(placeName(side), text);
    });
  }, [stage, isOpen, slide, side]);
}

/** What is still to be written. */
const pending = new Set<() => void>();

/** Have the address say at once what is shown. */
export function writePlaces(): void {
  for (const run of [...pending]) run();
}

/** Call back when a stage was still for a while after it moved, or when it is asked for; the answer ends it. */
function onceStill(stage: Stage, write: () => void): () => void {
  let timer = 0;
  const stop = (): void => {
    clearTimeout(timer);
    pending.delete(run);
  };
  const run = (): void => {
    stop();
    write();
  };
  const end = stage.onMove(() => {
    stop();
    pending.add(run);
    timer = window.setTimeout(run, STILL_MS);
  });
  return () => {
    stop();
    end();
  };
}

/** What a stage shows, as addresses say it; null while it shows nothing. */
function shownBy(stage: Stage): ShownPlace | null {
  const view = stage.view.peek();
  if (!view) return null;
  const { centre, scale, turn } = view;
  return { ...centre, scale: scale * (stage.umPerPx ?? 1), ...turn };
}

/** Nowhere for places that a hand wrote where there is no slide. */
function goTo(stage: Stage | null, { x, y, scale, degrees, flipped }: ShownPlace): void {
  const [before, slide] = [stage?.view.peek(), stage?.slide];
  if (!stage || !before || !slide) return;
  const view = { ...before, centre: { x, y }, scale: scale / (stage.umPerPx ?? 1), turn: { degrees, flipped } };
  if (showsSlide(view, slide)) stage.show(view.centre, view.scale, view.turn);
}

function isAtHome(stage: Stage): boolean {
  const view = stage.view.peek();
  const { slide } = stage;
  return view !== null && slide !== null && view.turn.degrees === 0 && !view.turn.flipped && isHome(view, slide);
}
