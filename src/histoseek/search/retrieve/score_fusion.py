"""From several channels to one list of hits by a score that means the same in every search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from histoseek.search.retrieve.channels import Channel, weigh_evidence
from histoseek.search.retrieve.rank_fusion import Hit, collect_ranks

_LEAST_REACHABLE = 0.5
"""What counts of a slide that has no report is at least so much of all: a hint is no proof for want of others."""


def fuse_scores(channels: Sequence[Channel], without_report: Collection[str] = ()) -> list[Hit]:
    """The slides of several channels, best first, by the weighted mean of their likeness, 0 to 1 (Bruch, Gai and Ingber
    2023).

    Likeness that a channel does not give is 0, but for a slide without a report only what can be known without one
    counts, and at least half of all. Of channels of the same evidence the best counts. What is not wanted takes off its
    likeness, as a share; it leads to nothing by itself.
    """
    wanted = [channel for channel in channels if channel.weight >= 0]
    weights = weigh_evidence(wanted)
    in_all = sum(weights.values())
    unread = sum(weigh_evidence(channel for channel in wanted if not channel.through_reports).values())
    unread = max(unread, _LEAST_REACHABLE * in_all)
    likeness, unlike = _collect_likeness(wanted), _collect_likeness([c for c in channels if c.weight < 0])
    ranks = collect_ranks(channels)
    opposed = {evidence: -weight for evidence, weight in weigh_evidence(c for c in channels if c.weight < 0).items()}
    hits = []
    for slide_id, own in likeness.items():
        fit = _average(own, weights, unread if slide_id in without_report else in_all)
        against = _average(unlike[slide_id], opposed, in_all) if slide_id in unlike else 0.0
        hits.append(Hit(slide_id, fit * (1 - against), tuple(ranks[slide_id])))
    return sorted(hits, key=lambda hit: (-hit.score, hit.slide_id))


def _collect_likeness(channels: Sequence[Channel]) -> dict[str, dict[str, float]]:
    """By slide, the likeness by each kind of evidence."""
    likeness: dict[str, dict[str, float]] = defaultdict(dict)
    for channel in channels:
        for slide_id, value in zip(channel.slide_ids, channel.likeness, strict=True):
            own = likeness[slide_id]
            own[channel.evidence] = max(value, own.get(channel.evidence, 0.0))
    return likeness


def _average(likeness: dict[str, float], weights: dict[str, float], whole: float) -> float:
    """Without any weight, as of words that count nothing, what is there counts the same."""
    if not whole:
        return sum(likeness.values()) / len(likeness) if likeness else 0.0
    return min(sum(weights[evidence] * value for evidence, value in likeness.items()) / whole, 1.0)
