import type { JSX } from "preact";
import type { QueryEcho, SlideRef } from "../api/types";
import { fetchPicture, pictureKey, pictureOf } from "../compare/cached-requests";
import { slideRef } from "../compare/comparison";
import { archiveName } from "../state/archives";
import { go, route } from "../state/navigation";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { SlideViewer } from "../viewer/slide-viewer";
import type { Rect } from "../viewer/view";
import { regionsOf } from "./requests";

const words = strings.board;

/** What was asked with: a slide, on which a region moves the board as soon as it is drawn, or words. */
export function QueryPane({ query }: { query: QueryEcho }): JSX.Element {
  const [slide] = query.slides;
  const picture = slide ? pictureOf(archiveName.value, slide) : null;
  const { value } = useResource(picture, fetchPicture);
  const asked = route.value.query;
  if (!slide || !picture) {
    return (
      <section class="board-query panel" aria-label={words.query}>
        <blockquote>{query.text}</blockquote>
      </section>
    );
  }
  const drawable = asked?.kind === "slide" || asked?.kind === "region";
  const reference = slideRef(slide, asked);
  return (
    <div class="board-query">
      <SlideViewer
        label={words.querySlide(slide.name)}
        source={value?.key === pictureKey(picture) ? value : null}
        regions={regionsOf(route.value, query.regions)}
        {...(drawable ? { onRegions: (regions: readonly Rect[]) => askWith(reference, regions) } : {})}
      >
        <p>{words.noPicture}</p>
      </SlideViewer>
      {drawable && <p class="faint">{words.draw}</p>}
    </div>
  );
}

/** The same board for these regions, or for the whole slide where there are none. */
function askWith(slide: SlideRef, regions: readonly Rect[]): void {
  const query = regions.length
    ? ({ kind: "region", slide, regions: regions.map((rect) => ({ ...rect })), unit: "px" } as const)
    : ({ kind: "slide", slide } as const);
  go({ query: query as NonNullable<typeof route.value.query>, page: 1 }, "replace");
}
