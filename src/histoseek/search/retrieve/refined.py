"""Retrieval after some results were judged: towards the slides marked as relevant, away from the irrelevant ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.ranking_method import RankingMethod, load_method
from histoseek.archive.schema import StoredSlide
from histoseek.archive.stores.slides import SlideTable
from histoseek.mosaics.distances import Distance
from histoseek.mosaics.signature import Signature
from histoseek.search.calibration.apply import UNCALIBRATED
from histoseek.search.options import CandidateCount, SearchOptions
from histoseek.search.queries import Refined
from histoseek.search.retrieve.candidates import Candidates, candidates, gather
from histoseek.search.retrieve.channels import Channel, share_weight
from histoseek.search.retrieve.image import REGION_DISTANCE
from histoseek.search.retrieve.ranking import measure_distances
from histoseek.search.retrieve.retrieval import Retrieval
from histoseek.search.scope.exclusion import SearchScope
from histoseek.statistics.clustering import normalise_rows

RELEVANT_WEIGHT = 2 / 3
"""How much the slides marked as relevant count; the query's own channels have the rest (benchmarks/feedback.py)."""

IRRELEVANT_WEIGHT = 1 / 2
"""How much is taken off for those marked as irrelevant; the other weights add up to 1."""

MarkedSlides = Mapping[str, StoredSlide]


def read_marked(archive: ArchiveFolder, query: Refined) -> MarkedSlides:
    """The slides that were marked, by id; raises UnknownSlide."""
    return {slide.record.slide_id: slide for slide in archive.store.get_without_language(query.marked)}


def refine(
    archive: ArchiveFolder, query: Refined, marked: MarkedSlides, retrieval: Retrieval, options: SearchOptions
) -> Retrieval:
    """What the query without marks gave, ranked anew; see `search`.

    Slides marked as relevant come first, as far as the filter lets them through; those marked as irrelevant are left
    out. Beside the query's own channels there is one more: the mean distance to the relevant slides, which reaches
    slides without a report as well. Slides that are near the irrelevant ones fall.
    """
    scope = retrieval.scope.without(query.irrelevant)
    method = _whole_slide_method(archive, options)
    near = _NearMarked(method.view(retrieval.store), method.distance, scope, options.candidate_count)
    signatures = {slide_id: method.map_stored(slide) for slide_id, slide in marked.items()}
    own = [channel.without(query.irrelevant) for channel in _fusible_channels(retrieval)]
    channels = own
    if query.relevant:
        like = near.channel([signatures[i] for i in query.relevant], query.relevant, RELEVANT_WEIGHT)
        channels = [*share_weight(channels, 1 - RELEVANT_WEIGHT), like]
    if query.irrelevant:
        unlike = near.channel([signatures[i] for i in query.irrelevant], (), -IRRELEVANT_WEIGHT)
        channels = [*(channels if query.relevant else share_weight(channels, 1)), unlike]
    return replace(
        retrieval,
        scope=scope,
        channels=tuple(own) if retrieval.channels else (),
        order=tuple(channels),
        further_scores=_measure_further(retrieval, channels),
        foremost=query.relevant,
        explain=retrieval.image.explain if retrieval.image else retrieval.explain,
        info=replace(retrieval.info, relevant=query.relevant, irrelevant=query.irrelevant),
        calibration=UNCALIBRATED,
        labels=None,
    )


def _measure_further(retrieval: Retrieval, channels: Sequence[Channel]) -> dict[str, float]:
    """The scores that slides have for the query's image which only their likeness to marked slides leads to."""
    image = retrieval.image
    if image is None or retrieval.channels:
        return {}
    reached = {slide_id for channel in channels if channel.weight > 0 for slide_id in channel.slide_ids}
    store = image.method.view(retrieval.store)
    slides = gather(store, sorted(reached.difference(image.slides.slide_ids.tolist())))
    each = measure_distances(store, image.signatures, image.method.distance, slides, image.witnesses)
    nearest = np.min([distances.total for distances in each], axis=0)
    return dict(zip(slides.slide_ids.tolist(), (1 - nearest).tolist(), strict=True))


def _fusible_channels(retrieval: Retrieval) -> Sequence[Channel]:
    if retrieval.image is not None and not retrieval.channels:
        return [retrieval.image.slides.channel()]
    return retrieval.channels


def _whole_slide_method(archive: ArchiveFolder, options: SearchOptions) -> RankingMethod:
    """The way to rank that is wanted, where it compares whole slides: what was marked is such."""
    return load_method(archive, None if options.distance == REGION_DISTANCE else options.distance)


@dataclass(frozen=True, slots=True)
class _NearMarked:
    """Where slides like marked ones are looked for: by which distance, among which slides, how many."""

    store: SlideTable
    distance: Distance
    scope: SearchScope
    count: CandidateCount

    def channel(self, signatures: Sequence[Signature], slide_ids: Sequence[str], weight: float) -> Channel:
        """The slides of least mean distance to some signatures; slide_ids: are among them in any case."""
        slides = self._candidates(signatures, slide_ids)
        each = measure_distances(self.store, signatures, self.distance, slides)
        totals = np.mean([distances.total for distances in each], axis=0)
        order = slides.best(totals, len(slides))
        return Channel("marked slides", tuple(slides.list_ids(order)), tuple((1 - totals[order]).tolist()), weight)

    def _candidates(self, signatures: Sequence[Signature], slide_ids: Sequence[str]) -> Candidates:
        """The slides whose global vectors are nearest to the mean of the signatures' (Rocchio 1971), and some more."""
        mean = normalise_rows(np.mean([s.global_vector for s in signatures], axis=0, keepdims=True))[0]
        return candidates(self.store, mean.astype(np.float32), self.count, self.scope, also=slide_ids)
