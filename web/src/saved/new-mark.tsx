import type { JSX } from "preact";
import type { Slide } from "../api/types";
import { route } from "../state/navigation";
import { strings } from "../strings";
import { SINCE } from "./requests";
import "./saved.css";

/** Marks a slide that came, or was changed, since a saved search was looked at last; nothing for others. */
export function NewMark({ slide }: { slide: Pick<Slide, "created" | "updated"> }): JSX.Element | null {
  const since = Date.parse(route.value.shown[SINCE] ?? "");
  if (Number.isNaN(since) || Date.parse(slide.updated) <= since) return null;
  const words = strings.saved;
  return <span class="saved-mark">{Date.parse(slide.created) > since ? words.isNew : words.isChanged}</span>;
}
