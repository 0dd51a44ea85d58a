/** What is shown before anything was asked: what can be done here, and questions that the archive suggests. */
import type { JSX } from "preact";
import { archives, searches, slides as slideEndpoints } from "../api/endpoints";
import type { ArchiveInfo, Slide } from "../api/types";
import { archive, archiveList, archiveName } from "../state/archives";
import { useResource } from "../state/resource";
import { START } from "../state/route";
import { searchRequestOf } from "../state/search-request";
import { otherNamesOf } from "../state/slide-names";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Picture } from "../ui/picture";
import { type Example, examplesOf } from "./examples";
import { runQuery } from "./query-form";

const words = strings.search.welcome;
const FIELDS = ["diagnosis", "organ", "finding"];
const VALUES = 6;
const SLIDES = 200;

export function Welcome(): JSX.Element | null {
  const info = archive.value;
  if (!info) return null;
  return (
    <section class="search-welcome">
      <h1 tabIndex={-1}>{words.title(info.name)}</h1>
      <p>{words.holds(info.slides, info.cases, info.patients)}</p>
      <Ways archive={info} />
      <Examples key={info.name} />
    </section>
  );
}

function Ways({ archive: info }: { archive: ArchiveInfo }): JSX.Element {
  const ways = info.reads_text
    ? [words.words, words.slide, words.report, words.composed]
    : [words.slide, words.noWords];
  return (
    <ul class="search-ways">
      {ways.map((way) => (
        <li key={way}>{way}</li>
      ))}
    </ul>
  );
}

/** Questions that an archive answers: made of its own content, and those in words tried. */
async function suggest(name: string, signal: AbortSignal): Promise<readonly Example[]> {
  const [facets, page] = await Promise.all([
    archives.facets(name, { fields: FIELDS, most: VALUES }, signal),
    slideEndpoints.list(name, { limit: SLIDES }, signal),
  ]);
  const info = archiveList.state.value.value?.find((one) => one.name === name);
  const examples = info ? examplesOf(info, facets, page.items, Math.random) : [];
  const answered = await Promise.all(examples.map((example) => hasAnswer(name, example, signal)));
  return examples.filter((_, at) => answered[at]);
}

async function hasAnswer(name: string, { slide, query }: Example, signal: AbortSignal): Promise<boolean> {
  if (slide) return true;
  const request = searchRequestOf({ ...START, archive: name, query }, null);
  const response = request && (await searches.search(name, { ...request, k: 1 }, signal));
  return response !== null && response.results.length > 0 && !response.nothing_fits;
}

function Examples(): JSX.Element | null {
  // Examples are a help: without them the page still says what can be done.
  const { value } = useResource(archiveName.value, suggest);
  const examples = value ?? [];
  const texts = examples.filter(({ slide }) => slide === null);
  const likes = examples.flatMap((example) => (example.slide ? [{ example, slide: example.slide }] : []));
  return (
    <>
      {texts.length > 0 && (
        <div class="search-examples">
          <h2>{words.tryText}</h2>
          <div>
            {texts.map((example) => (
              <TextExample key={JSON.stringify(example.query)} example={example} />
            ))}
          </div>
        </div>
      )}
      {likes.length > 0 && (
        <div class="search-examples">
          <h2>{words.trySlides}</h2>
          <div>
            {likes.map(({ example, slide }) => (
              <SlideExample key={slide.slide_id} example={example} slide={slide} />
            ))}
          </div>
        </div>
      )}
    </>
  );
}

function TextExample({ example }: { example: Example }): JSX.Element {
  return <Button onClick={() => runQuery(example.query)}>{words.text(example.words, example.without)}</Button>;
}

function SlideExample({ example, slide }: { example: Example; slide: Slide }): JSX.Element {
  const url = slideEndpoints.thumbnailUrl(archiveName.value, slide.slide_id, 256);
  return (
    <button type="button" class="search-example-slide" onClick={() => runQuery(example.query)}>
      <span class="visually-hidden">{words.like}</span>
      {slide.has_image && <Picture src={url} width={128} height={96} />}
      <strong>{slide.diagnosis ?? slide.title}</strong>
      {slide.diagnosis !== null && <span class="faint">{slide.title}</span>}
      {otherNamesOf(slide).map((name) => (
        <span key={name} class="faint">
          {name}
        </span>
      ))}
      <span class="faint">{[slide.organ, slide.stain].filter(Boolean).join(", ")}</span>
    </button>
  );
}
