import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { searches } from "../api/endpoints";
import type { PhraseExample, PhraseResult, PhrasesRequest, PhrasesResponse, SlideRef } from "../api/types";
import { archiveName } from "../state/archives";
import { hrefTo, NEW_QUESTION, route } from "../state/navigation";
import { selectionOf } from "../state/region-key";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { RateBar, ShareBar } from "../ui/bars";
import { Button } from "../ui/button";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { regionLabel } from "../viewer/region-list";
import type { Rect } from "../viewer/view";
import { withCache } from "./cached-requests";

const texts = strings.phrases;
const MOST_PHRASES = 8;

/** Whether readers want to see phrases; kept for the next slide. */
const isOpen = signal(true);

interface PhrasesKey {
  readonly archive: string;
  readonly request: PhrasesRequest;
}

const fetchPhrases = withCache(({ archive, request }: PhrasesKey, signal) =>
  searches.phrases(archive, request, signal),
);

export interface PhrasesPanelProps {
  /** How to ask with the slide. */
  readonly reference: SlideRef;
  /** What was drawn on it, in level-0 px. */
  readonly regions: readonly Rect[];
}

/** What a report would say of the regions that were drawn, each phrase with its probability beside its base rate. */
export function PhrasesPanel({ reference, regions }: PhrasesPanelProps): JSX.Element | null {
  const id = useId();
  if (!regions.length) return null;
  return (
    <section class="compare-phrases" aria-labelledby={id}>
      <header>
        <h3 id={id}>{texts.title(regions.map((_, place) => regionLabel(place)))}</h3>
        <Button
          kind="quiet"
          aria-expanded={isOpen.value}
          onClick={() => {
            isOpen.value = !isOpen.value;
          }}
        >
          {isOpen.value ? texts.hide : texts.show}
        </Button>
      </header>
      {isOpen.value && <Phrases reference={reference} regions={regions} />}
    </section>
  );
}

function Phrases({ reference, regions }: PhrasesPanelProps): JSX.Element {
  const { filters, settings } = route.value;
  const request: PhrasesRequest = {
    query: { kind: "region", slide: reference, regions: regions.map((rect) => ({ ...rect })), unit: "px" },
    k: MOST_PHRASES,
    where: settings.where,
    filters: [...filters],
    same_patient: settings.samePatient,
  };
  const { value, loading, error, reload } = useResource({ archive: archiveName.value, request }, fetchPhrases);
  if (error) return <ErrorPanel error={error} onRetry={reload} />;
  if (loading || !value) return <Spinner label={texts.reading} />;
  return <Answer answer={value} />;
}

function Answer({ answer }: { answer: PhrasesResponse }): JSX.Element {
  const { results, calibrated, calibration_error, patients } = answer;
  // What is not calibrated is said in the page's own words.
  const warnings = answer.warnings.filter((warning) => !warning.startsWith("not calibrated"));
  return (
    <>
      {!calibrated && <Note kind="info">{texts.notCalibrated(patients)}</Note>}
      {results.length ? (
        <ol>
          {results.map((result) => (
            <PhraseItem key={result.concept_id} result={result} />
          ))}
        </ol>
      ) : (
        <p role="status">{texts.none}</p>
      )}
      <p class="faint" role="status">
        {calibrated && `${texts.key} `}
        {texts.by(patients, calibration_error)}
      </p>
      {warnings.map((warning) => (
        <p key={warning} class="faint">
          {warning}
        </p>
      ))}
    </>
  );
}

function PhraseItem({ result }: { result: PhraseResult }): JSX.Element {
  const { name, probability, prior, similarity, patients, judged, examples } = result;
  return (
    <li>
      <span class="compare-phrase">{name}</span>
      {probability === null ? (
        <ShareBar share={Math.max(0, similarity)} label={texts.similarity(name, similarity)}>
          {texts.cosine(similarity)}
        </ShareBar>
      ) : (
        <RateBar share={probability} base={prior} label={texts.likely(name, probability, prior)}>
          {strings.probability.short(probability)}
        </RateBar>
      )}
      <span class="faint">{texts.stated(patients, judged)}</span>
      {examples.length > 0 && (
        <span class="compare-examples">
          {texts.examples}{" "}
          {examples.map((example) => (
            <Example key={example.slide_id} example={example} name={name} />
          ))}
        </span>
      )}
    </li>
  );
}

/** The region of another slide that fits the phrase best. */
function Example({ example: { slide_id, region }, name }: { example: PhraseExample; name: string }): JSX.Element {
  const to = { ...NEW_QUESTION, query: null, view: "compare" as const, ...selectionOf(route.value, slide_id, region) };
  return (
    <a href={hrefTo(to)} title={texts.openExample(slide_id, name)}>
      {slide_id}
    </a>
  );
}
