"""The vote: which label the results speak for, each patient with one voice, and how probable each label is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from histoseek.search.figures import format_figure, format_probability

SHARE_NEEDED = 0.5
"""A label that reaches no larger share of the vote is not said."""

AGREEMENT = 2 / 3
"""Of so many patients a label is said to be agreed on, where no probabilities tell: six of eleven may be chance."""

UNLIKE_ANYTHING = "the query is unlike anything here"
NONE_OF_THESE = "none of these"

_SHARES_PRINTED = 3


@dataclass(frozen=True, slots=True)
class Ballot:
    """A labelled result; owner: whose slide it is."""

    owner: str
    label: str


@dataclass(frozen=True, slots=True)
class LabelShare:
    """A label and its share of a vote, or its probability: 0 to 1."""

    label: str
    share: float


@dataclass(frozen=True, slots=True)
class LabelDistribution:
    """How probable each label is to be the query's, by the patients around it in the whole archive.

    column: of the labels; patients: how many were listened to; shares: the labels that are not all but ruled out, most
    probable first; others: all other labels of the archive together; none: none of them. In all they are 1.
    """

    column: str
    patients: int
    shares: tuple[LabelShare, ...]
    others: float
    none: float

    def __str__(self) -> str:
        said = [(share.label, share.share) for share in self.shares[:_SHARES_PRINTED]]
        rest = math.fsum(share.share for share in self.shares[_SHARES_PRINTED:]) + self.others
        return ", ".join(
            f"{name} {format_probability(share)}"
            for name, share in (*said, *((("others", rest),) if rest else ()), (NONE_OF_THESE, self.none))
        )


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

    patients: how many vote; unlabelled: how many have no label; majority: of those among the results; calibrated: by
    the probabilities of the query's labels, whatever results are shown, None unless these are of the same column.
    """

    label_column: str
    patients: int
    unlabelled: int
    majority: Tally
    calibrated: Tally | None

    @property
    def sentence(self) -> str:
        """What the vote says, in one sentence: the counts, and what to make of them."""
        return describe_vote(self)

    @property
    def tallies(self) -> list[tuple[str, Tally]]:
        """The ways to count that there are, with their names."""
        ways = (("majority", self.majority), ("calibrated", self.calibrated))
        return [(name, tally) for name, tally in ways if tally]


def take_vote(
    label_column: str,
    ballots: Sequence[Ballot],
    unlabelled: int,
    novel: bool,
    distribution: LabelDistribution | None = None,
) -> Vote:
    """Count ballots, given best first; `novel`: the query is unlike the archive, so that all votes abstain;
    distribution: of the query's labels, in this column or another."""
    by_owner: dict[str, Ballot] = {}
    for ballot in ballots:
        by_owner.setdefault(ballot.owner, ballot)
    is_of_column = distribution is not None and distribution.column == label_column
    return Vote(
        label_column=label_column,
        patients=len(by_owner),
        unlabelled=unlabelled,
        majority=_count(list(by_owner.values()), novel),
        calibrated=_weigh(distribution, novel) if distribution and is_of_column else None,
    )


def describe_vote(vote: Vote) -> str:
    """The vote as one sentence: "6 colorectal, 5 others: no agreement."

    The patients' own counts come first; what to make of them is said by the probabilities of labels where there are
    any, else by AGREEMENT of the patients.
    """
    if not vote.patients:
        return f"No result has a {vote.label_column}."
    counts = [(share.label, round(share.share * vote.patients)) for share in vote.majority.shares]
    if vote.majority.abstains == UNLIKE_ANYTHING:
        return f"{_list_counts(counts)}, but {UNLIKE_ANYTHING}."
    if len(counts) == 1 and vote.calibrated is None:
        return f"All {vote.patients} are {counts[0][0]}." if vote.patients > 1 else f"The only one is {counts[0][0]}."
    return f"{_list_counts(counts)}: {_judge(vote)}."


def _judge(vote: Vote) -> str:
    if vote.calibrated is not None:
        if vote.calibrated.label is None:
            return "no agreement"
        return f"probably {vote.calibrated.label} ({100 * vote.calibrated.share:.0f}\u00a0%)"
    return "most agree" if vote.majority.share >= AGREEMENT else "no agreement"


def _list_counts(counts: Sequence[tuple[str, int]]) -> str:
    """The two most frequent labels by name, or the first and all others."""
    label, count = counts[0]
    if len(counts) == 1:
        return f"{count} {label}"
    others = sum(number for _, number in counts[1:])
    name = counts[1][0] if len(counts) == 2 else "other" if others == 1 else "others"
    return f"{count} {label}, {others} {name}"


def _count(ballots: Sequence[Ballot], novel: bool) -> Tally:
    counts: dict[str, int] = {}
    for ballot in ballots:
        counts[ballot.label] = counts.get(ballot.label, 0) + 1
    # Labels come in the order of their nearest slides, and sorting keeps it among equal shares.
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    shares = tuple(LabelShare(label, count / len(ballots)) for label, count in ordered)
    return _make_tally(shares, "no result has a label" if not ballots else UNLIKE_ANYTHING if novel else None)


def _weigh(distribution: LabelDistribution, novel: bool) -> Tally:
    largest = distribution.shares[0].share if distribution.shares else 0.0
    none = "it is most likely none of the archive's labels" if distribution.none > largest else None
    return _make_tally(distribution.shares, UNLIKE_ANYTHING if novel else none)


def _make_tally(shares: tuple[LabelShare, ...], abstains: str | None) -> Tally:
    share = shares[0].share if shares else 0.0
    if abstains is None and share < SHARE_NEEDED:
        abstains = f"no label reaches a share of {SHARE_NEEDED}"
    return Tally(None if abstains else shares[0].label, share, abstains, shares)
