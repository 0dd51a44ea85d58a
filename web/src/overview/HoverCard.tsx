import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { slides } from "../api/endpoints";
import { archive, archiveName } from "../state/archives";
import type { Spot, Window } from "./plane";

const THUMBNAIL_PX = 128;
/** Pictures of points that the pointer only passes are not asked for. */
const WAIT_MS = 150;

const APART_PX = 12;

export interface HoverCardProps {
  readonly at: Spot;
  /** What is seen of the map: the card opens towards its middle, so that it fits in. */
  readonly window: Window;
  readonly id: string;
  readonly label: string;
}

/** Which slide a point is. */
export function HoverCard({ at, window, id, label }: HoverCardProps): JSX.Element {
  const [pictured, setPictured] = useState<string | null>(null);
  useEffect(() => {
    if (!archive.value?.has_images) return;
    const waiting = setTimeout(() => setPictured(id), WAIT_MS);
    return () => clearTimeout(waiting);
  }, [id]);
  const transform = `translate(${along(at.x, window.width)}, ${along(at.y, window.height)})`;
  return (
    <div class="overview-card" style={{ transform }} aria-hidden="true">
      {pictured === id && (
        <img src={slides.thumbnailUrl(archiveName.value, id, THUMBNAIL_PX)} alt="" onError={() => setPictured(null)} />
      )}
      <b>{label}</b>
      <span>{id}</span>
    </div>
  );
}

function along(at: number, room: number): string {
  return at > room / 2 ? `calc(${Math.round(at - APART_PX)}px - 100%)` : `${Math.round(at + APART_PX)}px`;
}
