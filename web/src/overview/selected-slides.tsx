import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { CollectDialog, openAddDialog } from "../collections/add-dialog";
import { slideKey, slidesOfItems } from "../collections/slides";
import { archiveName } from "../state/archives";
import { hrefTo } from "../state/navigation";
import { useResource } from "../state/resource";
import { announce } from "../state/toasts";
import { strings } from "../strings";
import { Button } from "../ui/button";

const texts = strings.overview;

/** More are not listed one by one. */
const MOST_LISTED = 200;

export interface SelectedSlide {
  readonly id: string;
  readonly label: string;
}

/** The slides that were chosen on the map. */
export function SelectedSlides({
  slides,
  onClear,
}: {
  slides: readonly SelectedSlide[];
  onClear: () => void;
}): JSX.Element {
  const head = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!slides.length) return;
    announce(texts.chosen(slides.length));
    // A lasso is drawn for what it holds: its answer may be below a long legend, or below the map.
    head.current?.scrollIntoView({ block: "nearest" });
  }, [slides.length]);
  const more = slides.length - MOST_LISTED;
  const listed = slides.slice(0, MOST_LISTED);
  const places = listed.map(({ id }) => ({ archive: archiveName.value, slide_id: id, note: "" }));
  const { value: known } = useResource(places, slidesOfItems);
  const titleOf = (id: string): string =>
    known?.get(slideKey({ archive: archiveName.value, slide_id: id }))?.title ?? id;
  return (
    <section class="overview-chosen">
      <div ref={head} class="overview-chosen-head">
        <h2>{texts.chosen(slides.length)}</h2>
        {slides.length > 0 && (
          <>
            <Button icon="collection" onClick={() => openAddDialog(slides.map((slide) => slide.id))}>
              {texts.collect}
            </Button>
            <Button kind="quiet" onClick={onClear}>
              {texts.clear}
            </Button>
          </>
        )}
      </div>
      {slides.length === 0 && <p class="faint">{texts.how}</p>}
      <ul>
        {listed.map(({ id, label }) => (
          <li key={id}>
            <a href={hrefTo({ view: "compare", query: null, selected: id })}>{titleOf(id)}</a>{" "}
            <span class="faint">{label}</span>
          </li>
        ))}
      </ul>
      {more > 0 && <p class="faint">{texts.notListed(more)}</p>}
      <CollectDialog />
    </section>
  );
}
