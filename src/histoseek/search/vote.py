"""The vote: which label the results speak for, each patient with one voice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from histoseek.search.figures import format_figure

SHARE_NEEDED = 0.5
"""A label that reaches no larger share of the vote is not said."""

UNLIKE_ANYTHING = "the query is unlike anything here"

_NEAREST = 1e-6
_SHARES_PRINTED = 3


@dataclass(frozen=True, slots=True)
class Ballot:
    """A labelled result; owner: whose slide it is; distance: None unless slides were compared."""

    owner: str
    label: str
    distance: float | None
    probability: float | None


@dataclass(frozen=True, slots=True)
class LabelShare:
    """A label and its share of a vote, 0 to 1."""

    label: str
    share: float


@dataclass(frozen=True, slots=True)
class Tally:
    """The outcome of one way to count.

    label: the one with the largest share, of equal ones that of the nearest slide; None when the vote abstains;
    share: the largest; abstains: why, or None; shares: all labels, largest first.
    """

    label: str | None
    share: float
    abstains: str | None
    shares: tuple[LabelShare, ...]

    def __str__(self) -> str:
        shares = ", ".join(f"{share.label} {format_figure(share.share, 2)}" for share in self.shares[:_SHARES_PRINTED])
        verdict = f"abstains, {self.abstains}" if self.abstains else str(self.label)
        return f"{verdict} ({shares})" if shares else verdict


@dataclass(frozen=True, slots=True)
class Vote:
    """What patients vote for; each counts once, by its nearest labelled slide.

    patients: how many vote; unlabelled: how many have no label; distance_weighted: by 1 / distance, None unless
    slides were compared; calibrated: by probability, None unless these are of the same label column.
    """

    label_column: str
    patients: int
    unlabelled: int
    majority: Tally
    distance_weighted: Tally | None
    calibrated: Tally | None

    @property
    def tallies(self) -> list[tuple[str, Tally]]:
        """The ways to count that there are, with their names."""
        ways = (
            ("majority", self.majority),
            ("distance-weighted", self.distance_weighted),
            ("calibrated", self.calibrated),
        )
        return [(name, tally) for name, tally in ways if tally]


def take_vote(label_column: str, ballots: Sequence[Ballot], unlabelled: int, novel: bool) -> Vote:
    """Count ballots, given best first; `novel`: the query is unlike the archive, so that all votes abstain."""
    by_owner: dict[str, Ballot] = {}
    for ballot in ballots:
        by_owner.setdefault(ballot.owner, ballot)
    first = list(by_owner.values())
    distances = [ballot.distance for ballot in first if ballot.distance is not None]
    likely = [ballot.probability for ballot in first if ballot.probability is not None]
    return Vote(
        label_column=label_column,
        patients=len(first),
        unlabelled=unlabelled,
        majority=_tally(first, [1.0] * len(first), novel),
        distance_weighted=_tally(first, [1 / max(distance, _NEAREST) for distance in distances], novel)
        if len(distances) == len(first) > 0
        else None,
        calibrated=_tally(first, likely, novel) if len(likely) == len(first) > 0 else None,
    )


def _tally(ballots: Sequence[Ballot], weights: Sequence[float], novel: bool) -> Tally:
    by_label: dict[str, list[float]] = {}
    for ballot, weight in zip(ballots, weights, strict=True):
        by_label.setdefault(ballot.label, []).append(weight)
    total = math.fsum(weights)
    shares = [LabelShare(label, math.fsum(weights_) / total) for label, weights_ in by_label.items()]
    # Labels come in the order of their nearest slides, and sorting keeps it among equal shares.
    shares.sort(key=lambda share: -share.share)
    share = shares[0].share if shares else 0.0
    abstains = _abstention(share, len(ballots), novel)
    return Tally(None if abstains else shares[0].label, share, abstains, tuple(shares))


def _abstention(share: float, ballots: int, novel: bool) -> str | None:
    if not ballots:
        return "no result has a label"
    if novel:
        return UNLIKE_ANYTHING
    return None if share >= SHARE_NEEDED else f"no label reaches a share of {SHARE_NEEDED}"
