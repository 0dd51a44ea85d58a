"""Encoders beside one that is trained, judged on the same held-out patients: first what needs no training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.space.centre import BagMean, fit_centre
from histoseek.statistics.clustering import normalise_rows
from histoseek.training.alignment.closed_form import PairVectors, fit_on_parts, judge_slides
from histoseek.training.pairs import load_pair_bag
from histoseek.training.recall_at_k import RecallAtK, recalls
from histoseek.training.split import Split

POOLED, ALIGNED = "pooled", "pooled and aligned"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Another encoder, with its recalls on the test part, as far as it has any."""

    name: str
    recalls: tuple[RecallAtK, ...]


def judge_baselines(split: Split, texts: Floats, seed: int, centre: Floats | None = None) -> tuple[Baseline, ...]:
    """The pooled encoder, which archives use until there is a better one, and its alignment in closed form.

    texts: vectors of the reports of the train, validation and test pairs, in this order, by the text encoder as it was
    before training. centre: an archive's, by default that of the train part. The alignment is fitted on the train part
    and its strength chosen on the validation part, as the trained encoder and its epoch are.
    """
    pairs = (*split.train, *split.validation, *split.test)
    means = [BagMean.from_bag(load_pair_bag(pair)) for pair in pairs]
    centre = fit_centre(means[: len(split.train)]) if centre is None else centre
    slides = normalise_rows(np.stack([mean.vector for mean in means]) - centre)
    ends = np.cumsum([len(split.train), len(split.validation), len(split.test)])
    train, validation, test = (np.arange(end - size, end) for end, size in zip(ends, _sizes(split), strict=True))
    _, alignment = fit_on_parts(PairVectors.from_pairs(pairs, slides, texts), train, validation)
    held_out = [pairs[i] for i in test]
    aligned = recalls(alignment.slides(slides[test]), alignment.texts(texts[test]), held_out, seed)
    return Baseline(POOLED, judge_slides(slides[test], held_out, seed)), Baseline(ALIGNED, aligned)


def _sizes(split: Split) -> tuple[int, ...]:
    return len(split.train), len(split.validation), len(split.test)
