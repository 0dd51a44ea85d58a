import type { JSX } from "preact";
import { slides } from "../api/endpoints";
import type { CollectionItem, Slide } from "../api/types";
import { hrefTo, NEW_QUESTION } from "../state/navigation";
import { otherNamesOf } from "../state/slide-names";
import { strings } from "../strings";
import { IconButton } from "../ui/button";
import { Picture } from "../ui/picture";
import { NoteField } from "./note-field";

const words = strings.collections;
const THUMBNAIL_PX = 96;

export interface CollectionSlideProps {
  readonly collectionId: string;
  readonly item: CollectionItem;
  /** What the archive knows of it; null: nothing, or nothing yet. */
  readonly slide: Slide | null;
  /** Whether the archive has it no more. */
  readonly missing: boolean;
  /** Whether the collection is only to be read. */
  readonly fixed: boolean;
  readonly first: boolean;
  readonly last: boolean;
  readonly onMove: (by: number) => void;
  readonly onRemove: () => void;
}

export function CollectionSlide(props: CollectionSlideProps): JSX.Element {
  const { collectionId, item, slide, missing, fixed } = props;
  const facts = [slide?.diagnosis, slide?.organ, slide?.stain, slide?.site].filter(Boolean).join(", ");
  const ask = hrefTo({
    ...NEW_QUESTION,
    archive: item.archive,
    query: { kind: "slide", slide: { slide_id: item.slide_id } },
  });
  return (
    <li class="collections-slide">
      <span class="collections-thumbnail">
        {slide?.has_image && (
          <Picture
            src={slides.thumbnailUrl(item.archive, item.slide_id, 2 * THUMBNAIL_PX)}
            width={THUMBNAIL_PX}
            height={THUMBNAIL_PX}
          />
        )}
      </span>
      <div class="collections-what">
        <h3>
          {missing ? (
            words.missing
          ) : (
            <a href={ask} title={strings.results.likeThis}>
              {slide?.title ?? item.slide_id}
            </a>
          )}
        </h3>
        {facts && <p>{facts}</p>}
        <p class="collections-ids">
          {(missing || (slide && slide.title !== item.slide_id)) && <code>{item.slide_id}</code>}
          {slide && otherNamesOf(slide).map((name) => name !== slide.title && <span key={name}>{` ${name}`}</span>)}
          {slide?.case_id && (
            <>
              {` ${strings.results.case} `}
              <code>{slide.case_id}</code>
            </>
          )}
          <span class="faint">{` ${item.archive}`}</span>
        </p>
        {fixed ? (
          item.note && <p>{words.noted(item.note)}</p>
        ) : (
          <NoteField place={{ collectionId, archive: item.archive, slide_id: item.slide_id }} note={item.note ?? ""} />
        )}
      </div>
      {!fixed && <Moves {...props} />}
    </li>
  );
}

function Moves({ item, first, last, onMove, onRemove }: CollectionSlideProps): JSX.Element {
  return (
    <div class="collections-moves screen-only">
      <IconButton icon="up" label={words.moveUp(item.slide_id)} disabled={first} onClick={() => onMove(-1)} />
      <IconButton icon="down" label={words.moveDown(item.slide_id)} disabled={last} onClick={() => onMove(1)} />
      <IconButton icon="trash" label={words.removeSlide(item.slide_id)} data-remove onClick={onRemove} />
    </div>
  );
}
