"""Regions against words by anchors: the mosaic vectors of an encoder that was trained to see regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from histoseek.deadline import check_deadline
from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import RegionalEncoder
from histoseek.encoders.slide.regions import SlideRegion
from histoseek.errors import BadFeatureFile, EncoderError
from histoseek.search.regional.base import Floats, MeasureName, RegionSimilarities
from histoseek.search.regional.shared_space import SharedSpaceMeasure
from histoseek.search.words.comparison import PromptVectors
from histoseek.search.words.merging import MOST_PER_SLIDE, ScoredRegion

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AnchorMeasure(SharedSpaceMeasure):
    """A `RegionMeasure` for archives whose slide encoder makes its mosaic of regions."""

    encoder: RegionalEncoder
    name: MeasureName = "anchors"

    def measure_regions(self, slide_id: str, vectors: Floats) -> RegionSimilarities:
        """All anchors of a slide; the tiles that are kept with them where its features can't be read."""
        near = self.space.compare_mosaics([slide_id], vectors)
        anchors = self._list_anchors(slide_id, near.is_placed)
        if anchors is not None:
            return RegionSimilarities(anchors.regions, near.cosines[:, anchors.places])
        return self.space.compare_kept_tiles(slide_id, vectors).as_regions()

    def measure_bag(self, bag: Bag, vectors: Floats) -> Floats:
        """By its largest anchors, each counting by its tiles: one where it is no larger than that."""
        near = self.space.compare_bag(bag, vectors)
        try:
            listed = self.encoder.list_regions(bag)
            regions = [region if placed else None for region, placed in zip(listed, near.is_placed, strict=True)]
            largest = max((region.scale for region in regions if region is not None), default=0)
            sizes = np.array([len(one.tiles) if one is not None and one.scale == largest else 0 for one in regions])
        except EncoderError:
            sizes = near.is_placed.astype(np.int64)
        return np.asarray(near.cosines @ (sizes / sizes.sum()), np.float32)

    def find_regions(
        self, slide_ids: Sequence[str], prompts: PromptVectors, zero: float, count: int
    ) -> Iterator[tuple[str, ScoredRegion]]:
        """Anchors of one scale of each slide, that of its best one; only slides that may have one of the best regions
        are opened."""
        if not slide_ids:
            return
        near = self.space.compare_mosaics(slide_ids, prompts.vectors)
        scores, offsets = prompts.combine(near.cosines), near.offsets
        best = np.maximum.reduceat(np.where(near.is_placed, scores, -np.inf), offsets[:-1])
        taken: list[float] = []
        for place in np.argsort(-best, kind="stable"):
            check_deadline()
            if len(taken) >= count and sorted(taken)[-count] > best[place]:
                return
            own = slice(offsets[place], offsets[place + 1])
            anchors = self._list_anchors(slide_ids[place], near.is_placed[own])
            for region in self._choose(slide_ids[place], scores[own], anchors, prompts, zero):
                taken.append(region.score)
                yield slide_ids[place], region

    def find_best_scores(self, texts: Sequence[str]) -> list[float]:
        """By anchors."""
        scores = self.space.rows.block.find_best(self.space.make_directions(texts))
        return [float(score) for score in scores.max(axis=1, initial=-1)]

    def _choose(
        self, slide_id: str, scores: Doubles, anchors: _Anchors | None, prompts: PromptVectors, zero: float
    ) -> Sequence[ScoredRegion]:
        """The best regions of the scale of the best one; of equal ones the larger."""
        if anchors is None:
            return self.space.compare_kept_tiles(slide_id, prompts.vectors).merge(prompts, zero)
        own, scales = scores[anchors.places], anchors.scales
        order = np.lexsort((-scales, -own))
        chosen: list[int] = []
        for one in order[scales[order] == scales[order[0]]].tolist():
            # Of two encoders side by side each has its own regions of a scale.
            if not any(np.intersect1d(anchors.regions[one].tiles, anchors.regions[i].tiles).size for i in chosen):
                chosen.append(one)
            if len(chosen) == MOST_PER_SLIDE:
                break
        return [_to_scored_region(anchors.regions[one], float(own[one])) for one in chosen]

    def _list_anchors(self, slide_id: str, is_placed: NDArray[np.bool_]) -> _Anchors | None:
        """Those among the mosaic vectors of a slide, of which some have a place in the space of texts; None where its
        features can't be read, are not those of its mosaic, or lie nowhere."""
        try:
            bag = self.space.archive.bags.load(slide_id)
            regions = self.encoder.list_regions(bag)
        except (BadFeatureFile, EncoderError):
            return None
        if len(regions) != len(is_placed):
            return None
        anchors = [(i, region) for i, region in enumerate(regions) if region is not None and is_placed[i]]
        if not anchors:
            return None
        places, own = zip(*anchors, strict=True)
        return _Anchors(own, np.array(places))


@dataclass(frozen=True, slots=True, eq=False)
class _Anchors:
    """The regions of a slide; places: int64 [R], of their vectors in its mosaic."""

    regions: tuple[SlideRegion, ...]
    places: NDArray[np.int64]

    @property
    def scales(self) -> NDArray[np.int64]:
        return np.array([region.scale for region in self.regions])


def _to_scored_region(region: SlideRegion, score: float) -> ScoredRegion:
    """A region with the box around it, and its outline where it is no box."""
    box, corners = region.box, tuple((int(x), int(y)) for x, y in region.outline)
    is_box = box is None or set(corners) == set(product((box.x, box.right), (box.y, box.bottom)))
    return ScoredRegion(score, box, len(region.tiles), None if is_box else corners)
