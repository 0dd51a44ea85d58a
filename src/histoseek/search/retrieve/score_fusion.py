"""From several channels to one list of hits by a score that means the same in every search."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from histoseek.search.retrieve.channels import Channel, weigh_evidence
from histoseek.search.retrieve.rank_fusion import Hit

Floats = NDArray[np.float64]

_LEAST_REACHABLE = 0.5
"""What counts of a slide that has no report is at least so much of all: a hint is no proof for want of others."""


def fuse_scores(channels: Sequence[Channel], without_report: Collection[str] = ()) -> list[Hit]:
    """The slides of several channels, best first, by the weighted mean of their likeness, 0 to 1 (Bruch, Gai and Ingber
    2023); their places in the channels are added to those that are shown (`add_ranks`).

    Likeness that a channel does not give is 0, but for a slide without a report only what can be known without one
    counts, and at least half of all. Of channels of the same evidence the best counts. What is not wanted takes off its
    likeness, as a share; it leads to nothing by itself.
    """
    wanted, unwanted = [c for c in channels if c.weight >= 0], [c for c in channels if c.weight < 0]
    slide_ids = list(dict.fromkeys(slide_id for channel in wanted for slide_id in channel.slide_ids))
    weights, unread_weights = weigh_evidence(wanted), weigh_evidence(wanted, without_report=True)
    in_all = sum(weights.values())
    reachable = (channel for channel in wanted if not channel.through_reports)
    unread = sum(weigh_evidence(reachable, without_report=True).values())
    unread = max(unread, _LEAST_REACHABLE * in_all)
    is_unread = np.array([slide_id in without_report for slide_id in slide_ids], np.bool_)
    own = {name: np.where(is_unread, unread_weights[name], weight) for name, weight in weights.items()}
    scores = _average(slide_ids, wanted, own, np.where(is_unread, unread, in_all))
    if unwanted:
        opposed = {evidence: np.array(-weight) for evidence, weight in weigh_evidence(unwanted).items()}
        scores *= 1 - _average(slide_ids, unwanted, opposed, np.full(len(slide_ids), in_all))
    ordered = sorted(zip(scores.tolist(), slide_ids, strict=True), key=lambda pair: (-pair[0], pair[1]))
    return [Hit(slide_id, score) for score, slide_id in ordered]


def _average(
    slide_ids: Sequence[str], channels: Sequence[Channel], weights: Mapping[str, Floats], whole: Floats
) -> Floats:
    """The weighted mean of slides' likeness; without any weight, as of words that count nothing, what is there counts
    the same."""
    row_of = {slide_id: row for row, slide_id in enumerate(slide_ids)}
    likeness = {evidence: np.zeros(len(slide_ids)) for evidence in weights}
    given = {evidence: np.zeros(len(slide_ids), np.bool_) for evidence in weights}
    for channel in channels:
        pairs = zip(channel.slide_ids, channel.likeness, strict=True)
        places = [(row_of[slide_id], value) for slide_id, value in pairs if slide_id in row_of]
        rows, values = np.array([row for row, _ in places], np.int64), np.array([value for _, value in places])
        own = likeness[channel.evidence]
        own[rows] = np.maximum(own[rows], values)
        given[channel.evidence][rows] = True
    if not whole.any():
        counts = np.maximum(sum(given.values(), np.zeros(len(slide_ids))), 1)
        return sum(likeness.values(), np.zeros(len(slide_ids))) / counts
    weighted = sum((weights[evidence] * own for evidence, own in likeness.items()), np.zeros(len(slide_ids)))
    return np.minimum(weighted / whole, 1.0)
