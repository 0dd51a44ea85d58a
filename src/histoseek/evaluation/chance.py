"""What a random order of the slides that a query may meet would give: exact wherever there is a closed form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.per_query import DEPTHS, DISCOUNTS, majority
from histoseek.evaluation.ranking import NOBODY, Neighbours

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_SIMULATED_VOTES = 100_000
_LEAST_ROUNDS = 20
_BLOCK_CELLS = 2_000_000


def expected_values(neighbours: Neighbours, labels: Ints) -> Floats:
    """The expectation of `per_query.values` under a random order, float64 [Q, M]; nan for queries without an answer.

    With N allowed slides, R of them relevant, and m = min(k, N): top-1 is R / N; any hit is 1 - C(N-R, m) / C(N, m);
    fraction is m / N; MAP and nDCG follow from P(h_i) = R / N and E[h_i P_i] = R / N (1 + (i-1)(R-1)/(N-1)) / i.
    mMV is exact for the label counts of `label_counts`.
    """
    counts = label_counts(neighbours, labels, int(labels.max(initial=0)) + 1)
    allowed, relevant = (values.astype(np.float64)[:, None] for values in (neighbours.allowed, neighbours.relevant))
    total, right = np.maximum(allowed, 1), np.maximum(relevant, 1)
    depths, places = np.array(DEPTHS), np.arange(1, max(DEPTHS) + 1)
    there = (places <= allowed) * relevant / total
    others = (places - 1) * (right - 1) / np.maximum(total - 1, 1)
    best, at = np.minimum(right, depths), depths - 1
    precision = (there * (1 + others) / places).cumsum(1)[:, at] / best
    gain = (there * DISCOUNTS).cumsum(1)[:, at] / DISCOUNTS.cumsum()[best.astype(np.int64) - 1]
    fraction = np.minimum(depths, allowed) / total
    vote = _vote_chances(counts, labels[neighbours.queries])
    families = (there[:, :1], vote, _any_hit(allowed, relevant), fraction, precision, gain)
    return np.where(relevant > 0, np.concatenate(families, axis=1), np.nan)


def label_counts(neighbours: Neighbours, labels: Ints, classes: int) -> Ints:
    """How many allowed slides of each query have each label, int64 [Q, C].

    As counted when the queries were ranked. A ranking that does not say is guessed: a query's own label has its number
    of relevant slides, and the rest is shared out among the other labels in proportion to their slides in the cohort.
    """
    if neighbours.counts is not None:
        return np.pad(neighbours.counts, ((0, 0), (0, classes - neighbours.counts.shape[1])))
    own = labels[neighbours.queries]
    kinds, back = np.unique(np.stack([own, neighbours.allowed, neighbours.relevant]), axis=1, return_inverse=True)
    sizes = np.tile(np.bincount(labels, minlength=classes), (kinds.shape[1], 1))
    rows = np.arange(kinds.shape[1])
    sizes[rows, kinds[0]] = 0
    rest = kinds[1] - kinds[2]
    share = rest[:, None] * sizes / np.maximum(sizes.sum(1, keepdims=True), 1)
    found = np.floor(share).astype(np.int64)
    order = np.argsort(found - share, axis=1, kind="stable")
    given = np.arange(sizes.shape[1]) < (rest - found.sum(1))[:, None]
    np.put_along_axis(found, order, np.take_along_axis(found, order, 1) + given, 1)
    found[rows, kinds[0]] = kinds[2]
    return found[back.ravel()]


def vote_quality_chance(counts: Ints, truth: Ints, k: int, seed: int) -> tuple[Floats, Floats]:
    """Precision and F1 [C] of each label's votes of k random neighbours, nan for labels without queries.

    Simulated with a seed, as a ratio of counts has no closed form: about 100,000 votes, at least twenty rounds of all
    queries. counts [Q, C] as of `label_counts`; truth: labels of the queries [Q].
    """
    there = np.bincount(truth, minlength=counts.shape[1])
    if not len(truth):
        return np.full(len(there), np.nan), np.full(len(there), np.nan)
    rounds = list(_random_votes(counts, truth, k, seed))
    right, voted = (np.concatenate(parts) for parts in zip(*rounds, strict=True))
    some = voted > 0
    precision = np.where(some, right / np.maximum(voted, 1), 0).sum(0) / np.maximum(some.sum(0), 1)
    f1 = (2 * right / np.maximum(voted + there, 1)).mean(0)
    return np.where((there > 0) & some.any(0), precision, np.nan), np.where(there > 0, f1, np.nan)


def _any_hit(allowed: Floats, relevant: Floats) -> Floats:
    """1 - C(N-R, m) / C(N, m) for each depth, [Q, depths]."""
    places = np.arange(max(DEPTHS))
    factors = np.clip(allowed - relevant - places, 0, None) / np.maximum(allowed - places, 1)
    missed = np.where(places < allowed, factors, 1).cumprod(1)
    return 1 - missed[:, np.array(DEPTHS) - 1]


def _vote_chances(counts: Ints, own: Ints) -> Floats:
    """The chance that the vote of each depth is right, [Q, depths]."""
    rows = np.arange(len(own))
    mine = counts[rows, own]
    others = counts.copy()
    others[rows, own] = 0
    kinds, back = np.unique(np.column_stack([mine, np.sort(others, axis=1)]), axis=0, return_inverse=True)
    chances = np.stack([_majority_chance(kinds[:, 0], kinds[:, 1:], k) for k in DEPTHS], axis=1)
    return chances[back.ravel()]


def _majority_chance(own: Ints, others: Ints, k: int) -> Floats:
    """The chance that `own` slides of U rows win the vote of k drawn without replacement from them and others [U, C].

    Summed over the j votes that the own label gets: ways in which no other label gets more, over all ways; with t other
    labels that get j as well, the nearest neighbour is its own in one of 1 + t cases.
    """
    total = own + others.sum(1)
    drawn = np.minimum(k, total)
    found = np.zeros(len(own))
    for votes in range(1, k + 1):
        ways = _ways_below(others, votes, k)
        left = np.maximum(drawn - votes, 0)[:, None, None]
        ended = np.take_along_axis(ways, np.broadcast_to(left, (len(own), ways.shape[1], 1)), 2)[:, :, 0]
        winning = (ended / np.arange(1, ways.shape[1] + 1)).sum(1)
        found += np.where(votes <= drawn, _choose(own, votes) * winning, 0)
    return found / _choose(total, drawn)


def _ways_below(others: Ints, votes: int, k: int) -> Floats:
    """In how many ways s slides can be drawn from labels [U, C] so that t of them get exactly `votes` and none more;
    float64 [U, t, s], s up to k."""
    ties = k // votes
    ways = np.zeros((len(others), ties + 1, k + 1))
    ways[:, 0, 0] = 1
    for size in others.T:
        added = np.zeros_like(ways)
        for got in range(votes):
            added[:, :, got:] += ways[:, :, : k + 1 - got] * _choose(size, got)[:, None, None]
        added[:, 1:, votes:] += ways[:, :-1, : k + 1 - votes] * _choose(size, votes)[:, None, None]
        ways = added
    return ways


def _choose(total: Ints, drawn: Ints | int) -> Floats:
    """Binomial coefficients as float64."""
    found = np.ones(np.broadcast(total, drawn).shape)
    for i in range(int(np.max(drawn, initial=0))):
        found = np.where(i < drawn, found * np.maximum(total - i, 0) / (i + 1), found)
    return found


def _random_votes(counts: Ints, truth: Ints, k: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """How many votes are right, and how many there are, by voted label, [rounds, C] each, in blocks of rounds."""
    rng = np.random.default_rng(seed)
    queries, classes = counts.shape
    rounds = max(_LEAST_ROUNDS, -(-_SIMULATED_VOTES // queries))
    size = max(1, _BLOCK_CELLS // counts.size)
    for start in range(0, rounds, size):
        repeats = min(size, rounds - start)
        votes = majority(_drawn_labels(np.tile(counts, (repeats, 1)), k, rng))[0].reshape(repeats, queries)
        cells = votes + classes * np.arange(repeats)[:, None]
        sums = [np.bincount(cells[some], minlength=repeats * classes) for some in (votes == truth, votes != NOBODY)]
        yield sums[0].reshape(repeats, classes), sums[1].reshape(repeats, classes)


def _drawn_labels(counts: Ints, k: int, rng: np.random.Generator) -> Ints:
    """Labels of k slides drawn without replacement from each row of counts [R, C]: [R, k], NOBODY if none is left."""
    left = counts.copy()
    rows = np.arange(len(left))
    found = np.full((len(left), k), NOBODY, np.int64)
    for place in range(k):
        upto = left.cumsum(1)
        spot = rng.random(len(left)) * upto[:, -1]
        label = np.minimum((upto <= spot[:, None]).sum(1), left.shape[1] - 1)
        some = upto[:, -1] > 0
        found[some, place] = label[some]
        left[rows[some], label[some]] -= 1
    return found
