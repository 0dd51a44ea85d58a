import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { slides } from "../api/endpoints";
import { withCache } from "../compare/cached-requests";
import { archive, archiveName } from "../state/archives";
import { useResource } from "../state/resource";
import { otherNamesOf } from "../state/slide-names";
import { Picture } from "../ui/picture";
import type { Spot, Window } from "./plane";

const THUMBNAIL_PX = 128;
/** Points that the pointer only passes are not asked for. */
const WAIT_MS = 150;

const APART_PX = 12;

export interface HoverCardProps {
  readonly at: Spot;
  /** What is seen of the map: the card opens towards its middle, so that it fits in. */
  readonly window: Window;
  readonly id: string;
  readonly label: string;
}

interface SlideOf {
  readonly archive: string;
  readonly id: string;
}

const slideOf = withCache(({ archive: name, id }: SlideOf, signal) => slides.get(name, id, signal));

/** Which slide a point is. */
export function HoverCard({ at, window, id, label }: HoverCardProps): JSX.Element {
  const [stayed, setStayed] = useState<string | null>(null);
  useEffect(() => {
    const waiting = setTimeout(() => setStayed(id), WAIT_MS);
    return () => clearTimeout(waiting);
  }, [id]);
  const { value: slide } = useResource(stayed === id ? { archive: archiveName.value, id } : null, slideOf);
  const names = slide?.slide_id === id ? otherNamesOf(slide).filter((name) => name !== slide.title) : [];
  const transform = `translate(${along(at.x, window.width)}, ${along(at.y, window.height)})`;
  return (
    <div class="overview-card" style={{ transform }} aria-hidden="true">
      {stayed === id && archive.value?.has_images && (
        <Picture
          src={slides.thumbnailUrl(archiveName.value, id, THUMBNAIL_PX)}
          width={THUMBNAIL_PX}
          height={THUMBNAIL_PX}
        />
      )}
      <b>{slide?.slide_id === id ? slide.title : id}</b>
      <span>{label}</span>
      {names.map((name) => (
        <span key={name}>{name}</span>
      ))}
    </div>
  );
}

function along(at: number, room: number): string {
  return at > room / 2 ? `calc(${Math.round(at - APART_PX)}px - 100%)` : `${Math.round(at + APART_PX)}px`;
}
