"""From several channels to one order, by the ranks in each: for results that were judged, whose scores stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from histoseek.archive.stores.slides import SlideTable
from histoseek.search.results import ChannelRank
from histoseek.search.retrieve.channels import Channel

_RANK_OFFSET = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A slide that a query leads to, from ranking or fusion to the page of results.

    score: larger is better; channels: its place in each channel that led to it, none for a slide that was ranked
    by a distance alone; also: the other slides of its case, where cases are ranked.
    """

    slide_id: str
    score: float
    channels: tuple[ChannelRank, ...] = ()
    also: tuple[str, ...] = ()


def reciprocal_rank_fusion(channels: Sequence[Channel], without_report: Collection[str] = ()) -> list[Hit]:
    """The slides of several channels, best first, by the weighted mean of 61 / (60 + rank): 1 is first everywhere.

    A channel in which a slide does not appear counts as 0, but for a slide without a report only the channels that
    can reach it count. Channels of weight below 0 are taken off, and lead to nothing by themselves.
    """
    places = _collect_ranks(channels, {slide_id for channel in channels for slide_id in channel.slide_ids})
    wanted = [channel for channel in channels if channel.weight >= 0]
    in_all = sum(channel.weight for channel in wanted)
    unread = sum(channel.weight for channel in wanted if not channel.through_reports)
    hits = [
        Hit(slide_id, _fuse(ranks, unread if slide_id in without_report else in_all), tuple(ranks))
        for slide_id, ranks in places.items()
        if any(place.weight >= 0 for place in ranks)
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.slide_id))


def add_ranks(hits: Sequence[Hit], channels: Sequence[Channel]) -> list[Hit]:
    """The hits with their places in the channels."""
    places = _collect_ranks(channels, {hit.slide_id for hit in hits})
    return [replace(hit, channels=tuple(places[hit.slide_id])) for hit in hits]


def _collect_ranks(channels: Sequence[Channel], among: Collection[str]) -> dict[str, list[ChannelRank]]:
    """The places of some slides in the channels."""
    places: dict[str, list[ChannelRank]] = defaultdict(list)
    for channel in channels:
        ranks = _list_ranks(channel.scores)
        for rank, slide_id, score in zip(ranks, channel.slide_ids, channel.scores, strict=True):
            if slide_id in among:
                places[slide_id].append(ChannelRank(channel.name, rank, score, channel.weight))
    return places


def _list_ranks(scores: Sequence[float]) -> list[int]:
    """From 1; what has the same score has the same rank."""
    ranks: list[int] = []
    for place, score in enumerate(scores):
        ranks.append(ranks[-1] if place and score == scores[place - 1] else place + 1)
    return ranks


def slides_without_report(store: SlideTable, channels: Sequence[Channel]) -> set[str]:
    """Which slides of the channels have no report, where some channels go through reports and others do not."""
    through = [channel for channel in channels if channel.through_reports]
    if not through:
        return set()
    read = {slide_id for channel in through for slide_id in channel.slide_ids}
    others = {slide_id for channel in channels for slide_id in channel.slide_ids} - read
    return store.find_without_report(others) if others else set()


def _fuse(ranks: Sequence[ChannelRank], weights: float) -> float:
    score = sum(place.weight * (_RANK_OFFSET + 1) / (_RANK_OFFSET + place.rank) for place in ranks)
    # Nothing that is wanted of this slide has a weight: what is not wanted still counts.
    return min(score / weights, 1.0) if weights else score
