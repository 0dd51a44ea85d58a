import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { slides } from "../api/endpoints";
import { archive, archiveName } from "../state/archives";
import type { Spot } from "./plane";

const THUMBNAIL_PX = 128;
/** Pictures of points that the pointer only passes are not asked for. */
const WAIT_MS = 150;

/** Which slide a point is. */
export function HoverCard({ at, id, label }: { at: Spot; id: string; label: string }): JSX.Element {
  const [pictured, setPictured] = useState<string | null>(null);
  useEffect(() => {
    if (!archive.value?.has_images) return;
    const waiting = setTimeout(() => setPictured(id), WAIT_MS);
    return () => clearTimeout(waiting);
  }, [id]);
  const transform = `translate(${Math.round(at.x + 12)}px, ${Math.round(at.y + 12)}px)`;
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
