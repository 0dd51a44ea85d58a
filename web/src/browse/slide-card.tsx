import type { JSX } from "preact";
import { slides } from "../api/endpoints";
import type { Slide } from "../api/types";
import { archiveName } from "../state/archives";
import { hrefTo } from "../state/navigation";
import { selectedIds, selectTo, selectWith, toggleSelected } from "../state/selection";
import { strings } from "../strings";
import { Picture } from "../ui/picture";
import { CaseLinks } from "./case-links";

const words = strings.browse;
const THUMBNAIL_PX = 168;

export interface SlideCardProps {
  readonly slide: Slide;
  /** The ids of the list that it is in, in order: Shift selects all from the last one. */
  readonly listed: readonly string[];
  /** Whether it says whose slide it is. */
  readonly ofTray?: boolean;
}

/** A slide as a picture with its title and what is known of it. */
export function SlideCard({ slide, listed, ofTray = false }: SlideCardProps): JSX.Element {
  const isSelected = selectedIds.value.has(slide.slide_id);
  const facts = ofTray ? [slide.stain, slide.organ] : [slide.organ, slide.stain];
  return (
    <li class={isSelected ? "browse-card browse-selected" : "browse-card"} data-slide={slide.slide_id}>
      <span class="browse-picture">
        <Thumbnail slide={slide} px={THUMBNAIL_PX} />
      </span>
      <SelectBox slide={slide} listed={listed} />
      <h3>
        <a data-browse href={slideHref(slide.slide_id)} onClick={(event) => selectWith(event, slide.slide_id, listed)}>
          {slide.title}
        </a>
      </h3>
      {slide.diagnosis && <p class="browse-diagnosis">{slide.diagnosis}</p>}
      <p>{facts.filter(Boolean).join(" · ")}</p>
      {!ofTray && <CaseLinks slide={slide} />}
    </li>
  );
}

/** Where a slide is looked at by itself. */
export function slideHref(slideId: string): string {
  return hrefTo({ view: "compare", query: null, selected: slideId });
}

export function Thumbnail({ slide, px }: { slide: Slide; px: number }): JSX.Element {
  const none = <span class="faint">{strings.results.noImage}</span>;
  if (!slide.has_image) return none;
  return (
    <Picture width={px} height={px} src={slides.thumbnailUrl(archiveName.value, slide.slide_id, 2 * px)}>
      {none}
    </Picture>
  );
}

/** The box that selects a slide; with Shift all from the one that was selected last. */
export function SelectBox({ slide, listed }: { slide: Slide; listed: readonly string[] }): JSX.Element {
  return (
    <input
      type="checkbox"
      class="browse-select"
      aria-label={words.select(slide.title)}
      checked={selectedIds.value.has(slide.slide_id)}
      onClick={(event) => (event.shiftKey ? selectTo(slide.slide_id, listed) : toggleSelected(slide.slide_id))}
    />
  );
}
