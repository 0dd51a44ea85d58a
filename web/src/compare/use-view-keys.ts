import { useEffect, useMemo } from "preact/hooks";
import { useShortcuts } from "../state/shortcuts";
import { strings } from "../strings";
import { moveByKey, ZOOM_STEP } from "../viewer/input";
import type { Stage } from "../viewer/stage";

const texts = strings.compare.keys;

/** Keys that move and zoom a slide also where it has not the focus: zoom from anywhere, the others from no element. */
export function useViewKeys(stage: Stage | null): void {
  const keys = useMemo(
    () => [
      { key: "+", label: texts.zoomIn, run: () => stage?.zoomBy(ZOOM_STEP) },
      { key: "=", label: texts.zoomIn, run: () => stage?.zoomBy(ZOOM_STEP) },
      { key: "-", label: texts.zoomOut, run: () => stage?.zoomBy(1 / ZOOM_STEP) },
      { key: "0", label: texts.home, run: () => stage?.home() },
    ],
    [stage],
  );
  useShortcuts(keys);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isFree = event.target === document.body || (event.target as Element).matches("main");
      if (!stage || !isFree || event.defaultPrevented || event.key === "f") return;
      if (moveByKey(event, stage, () => undefined)) event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [stage]);
}
