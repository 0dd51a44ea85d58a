"""From an image to the phrases that a report of it would state, with their probabilities."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.deadline import check_deadline
from histoseek.errors import InputError
from histoseek.progress import Reporter
from histoseek.ranking.phrase_posterior import FEWEST_PATIENTS
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.search.calibration.novelty import describe_novelty, measure_novelty
from histoseek.search.encode.image import PARTS, PreparedImage, load_features, prepare_image
from histoseek.search.options import PhraseOptions
from histoseek.search.phrases.archive_phrases import ArchivePhrases, Booleans, Calibrated, get_phrases
from histoseek.search.phrases.results import PhraseExample, PhraseResult, PhraseResults
from histoseek.search.queries import ImageQuery, Query
from histoseek.search.regional.base import RegionMeasure
from histoseek.search.results import QueryInfo
from histoseek.search.scope.exclusion import Exclusions, SearchScope

Doubles = NDArray[np.float64]


def find_phrases(
    archive: ArchiveFolder,
    query: Query,
    measure: RegionMeasure,
    options: PhraseOptions | None = None,
    reporter: Reporter | None = None,
) -> PhraseResults:
    """What a report would say of a region, a picture, a slide or a case; the query's own patient has no say.

    measure: of the archive as it is read here. Raises InputError for a query that is no image alone, ArchiveError for
    an archive without reports, NoPrompts where they state too little, BadFilter, and what reading an image raises.
    """
    if not isinstance(query, get_args(ImageQuery)):
        advice = "Ask with a slide, a region, a picture or a case, without words"
        raise InputError("--to phrases", "needs an image alone", advice)
    chosen = options or PhraseOptions()
    check_deadline()
    started = time.perf_counter()
    store = archive.store.snapshot()
    phrases = get_phrases(archive, store, measure)
    image = prepare_image(archive, query, chosen.workers, reporter)
    scope = SearchScope.from_options(store, chosen.scope, image.owner, image.slide_ids)
    slides = phrases.select(store, scope)
    calibrated = phrases.calibrate(slides)
    ranking = _Ranking(phrases, slides, calibrated, _measure_image(image, measure, phrases))
    everyone = phrases.select(store, replace(scope, exclusions=Exclusions()))
    return PhraseResults(
        query=_describe(image, chosen),
        measured_by=measure.name,
        results=ranking.list_results(measure, chosen),
        calibrated=calibrated.is_usable,
        calibration_error=phrases.measure_error(everyone) if calibrated.is_usable else None,
        patients=calibrated.patients,
        phrases=len(phrases.prompts),
        warnings=(*archive.warnings, *_list_warnings(archive, image, chosen, calibrated)),
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def _describe(image: PreparedImage, options: PhraseOptions) -> QueryInfo:
    first = image.slides[0]
    return QueryInfo(
        kind=image.kind,
        to="phrases",
        slide_id=first.slide_id,
        uri=first.uri,
        spacing_um_per_px=first.spacing_um_per_px,
        slides=image.slides,
        regions=image.regions,
        where=options.scope.where_text,
    )


def _measure_image(image: PreparedImage, measure: RegionMeasure, phrases: ArchivePhrases) -> Doubles:
    """How well an image fits phrases, float64 [P]: a part of a slide as one region, slides by their best region."""
    each = []
    for slide, bag in zip(image.slides, image.bags, strict=True):
        if bag is not None:
            measure_own = measure.measure_bag if image.kind in PARTS else measure.measure_best_region
            each.append(measure_own(bag, phrases.vectors))
            continue
        known = phrases.find_similarities(str(slide.slide_id))
        if known is None:
            raise InputError(str(slide.slide_id), "has no regions that could be compared with words", "Index it again")
        each.append(known)
    return np.max(np.stack(each), axis=0).astype(np.float64)


@dataclass(frozen=True)
class _Ranking:
    """The phrases of an archive for the similarities of an image, float64 [P], by the slides that count, bool [S]."""

    phrases: ArchivePhrases
    slides: Booleans
    calibrated: Calibrated
    similarities: Doubles

    def list_results(self, measure: RegionMeasure, options: PhraseOptions) -> tuple[PhraseResult, ...]:
        """The likeliest phrases with examples; those that stand out most where nothing is calibrated."""
        places = self._order()[: options.k]
        examples = {place: self.phrases.find_examples(place, self.slides, options.examples) for place in places}
        slide_ids = self.phrases.slide_ids
        wanted = [(str(slide_ids[slide]), place) for place, slides in examples.items() for slide in slides]
        regions = self.phrases.find_regions(measure, wanted)
        return tuple(
            replace(
                self._make_result(place),
                rank=rank,
                examples=tuple(
                    PhraseExample(slide_id, regions[slide_id, place], float(self.phrases.similarities[place, slide]))
                    for slide in examples[place]
                    for slide_id in [str(slide_ids[slide])]
                ),
            )
            for rank, place in enumerate(places, start=1)
        )

    def _order(self) -> list[int]:
        """Places of the phrases, best first, ties by how far they stand out, then as the archive has them."""
        posterior = self.calibrated.posterior
        likely = self._probabilities if self.calibrated.is_usable else np.zeros(len(self.similarities))
        return [int(place) for place in np.lexsort((-posterior.standardise(self.similarities), -likely))]

    @cached_property
    def _probabilities(self) -> Doubles:
        return self.calibrated.posterior(self.similarities)

    def _make_result(self, place: int) -> PhraseResult:
        prompt, prior = self.phrases.prompts[place], float(self.calibrated.posterior.priors[place])
        probability = float(self._probabilities[place]) if self.calibrated.is_usable else None
        stated, judged = self.phrases.count_statements(place, self.slides)
        return PhraseResult(
            rank=0,
            concept_id=prompt.concept_id,
            kind=load_vocabulary()[prompt.concept_id].kind,
            name=prompt.text,
            probability=probability,
            prior=prior,
            lift=None if probability is None else probability / prior,
            similarity=float(self.similarities[place]),
            patients=stated,
            judged=judged,
            examples=(),
        )


def _list_warnings(
    archive: ArchiveFolder, image: PreparedImage, options: PhraseOptions, calibrated: Calibrated
) -> Iterator[str]:
    if not calibrated.is_usable:
        have = "1 patient has" if calibrated.patients == 1 else f"{calibrated.patients} patients have"
        yield f"not calibrated: only {have} a report that counts, and {FEWEST_PATIENTS} are needed for probabilities"
    if not options.same_patient and not image.owner.is_known:
        yield "the query's patient is not known: reports of the same patient may count"
    novelty = measure_novelty(archive, load_features(archive, image), is_whole=image.kind not in PARTS)
    yield from describe_novelty(novelty)
