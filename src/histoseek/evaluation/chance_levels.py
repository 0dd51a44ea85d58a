"""What a random order of the slides that a query may meet would give: exact wherever there is a closed form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.neighbours import NOBODY, Neighbours
from histoseek.evaluation.per_query import DEPTHS, DISCOUNTS, find_majority

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_SIMULATED_VOTES = 100_000
_LEAST_ROUNDS = 20
_BLOCK_CELLS = 2_000_000


def compute_chance_values(neighbours: Neighbours, labels: Ints) -> Floats:
    """The expectation of `per_query.values` under a random order, float64 [Q, M]; nan for queries without an answer.

    With N allowed slides, R of them relevant, and m = min(k, N): top-1 is R / N; any hit is 1 - C(N-R, m) / C(N, m);
    fraction is m / N; MAP and nDCG follow from P(h_i) = R / N and E[h_i P_i] = R / N (1 + (i-1)(R-1)/(N-1)) / i.
    mMV is exact for the label counts of `count_labels`.
    """
    counts = count_labels(neighbours, labels, int(labels.max(initial=0)) + 1)
    eligible, relevant = (values.astype(np.float64)[:, None] for values in (neighbours.eligible, neighbours.relevant))
    total, relevant_counts = np.maximum(eligible, 1), np.maximum(relevant, 1)
    depths, places = np.array(DEPTHS), np.arange(1, max(DEPTHS) + 1)
    hit_chances = (places <= eligible) * relevant / total
    others = (places - 1) * (relevant_counts - 1) / np.maximum(total - 1, 1)
    best, columns = np.minimum(relevant_counts, depths), depths - 1
    precision = (hit_chances * (1 + others) / places).cumsum(1)[:, columns] / best
    gain = (hit_chances * DISCOUNTS).cumsum(1)[:, columns] / DISCOUNTS.cumsum()[best.astype(np.int64) - 1]
    fraction = np.minimum(depths, eligible) / total
    vote = _compute_vote_chances(counts, labels[neighbours.queries])
    families = (hit_chances[:, :1], vote, _compute_any_hit(eligible, relevant), fraction, precision, gain)
    return np.where(relevant > 0, np.concatenate(families, axis=1), np.nan)


def count_labels(neighbours: Neighbours, labels: Ints, classes: int) -> Ints:
    """How many allowed slides of each query have each label, int64 [Q, C].

    As counted when the queries were ranked. A ranking that does not say is guessed: a query's own label has its number
    of relevant slides, and the rest is shared out among the other labels in proportion to their slides in the cohort.
    """
    if neighbours.counts is not None:
        return np.pad(neighbours.counts, ((0, 0), (0, classes - neighbours.counts.shape[1])))
    query_labels = labels[neighbours.queries]
    kinds, back = np.unique(
        np.stack([query_labels, neighbours.eligible, neighbours.relevant]), axis=1, return_inverse=True
    )
    sizes = np.tile(np.bincount(labels, minlength=classes), (kinds.shape[1], 1))
    rows = np.arange(kinds.shape[1])
    sizes[rows, kinds[0]] = 0
    rest = kinds[1] - kinds[2]
    share = rest[:, None] * sizes / np.maximum(sizes.sum(1, keepdims=True), 1)
    counts = np.floor(share).astype(np.int64)
    order = np.argsort(counts - share, axis=1, kind="stable")
    extra = np.arange(sizes.shape[1]) < (rest - counts.sum(1))[:, None]
    np.put_along_axis(counts, order, np.take_along_axis(counts, order, 1) + extra, 1)
    counts[rows, kinds[0]] = kinds[2]
    return counts[back.ravel()]


def simulate_vote_quality(counts: Ints, truth: Ints, k: int, seed: int) -> tuple[Floats, Floats]:
    """Precision and F1 [C] of each label's votes of k random neighbours, nan for labels without queries.

    Simulated with a seed, as a ratio of counts has no closed form: about 100,000 votes, at least twenty rounds of all
    queries. counts [Q, C] as of `count_labels`; truth: labels of the queries [Q].
    """
    truth_counts = np.bincount(truth, minlength=counts.shape[1])
    if not len(truth):
        return np.full(len(truth_counts), np.nan), np.full(len(truth_counts), np.nan)
    rounds = list(_simulate_votes(counts, truth, k, seed))
    correct, vote_counts = (np.concatenate(parts) for parts in zip(*rounds, strict=True))
    has_votes = vote_counts > 0
    precision = np.where(has_votes, correct / np.maximum(vote_counts, 1), 0).sum(0) / np.maximum(has_votes.sum(0), 1)
    f1 = (2 * correct / np.maximum(vote_counts + truth_counts, 1)).mean(0)
    return np.where((truth_counts > 0) & has_votes.any(0), precision, np.nan), np.where(truth_counts > 0, f1, np.nan)


def _compute_any_hit(eligible: Floats, relevant: Floats) -> Floats:
    """1 - C(N-R, m) / C(N, m) for each depth, [Q, depths]."""
    places = np.arange(max(DEPTHS))
    factors = np.clip(eligible - relevant - places, 0, None) / np.maximum(eligible - places, 1)
    miss_chances = np.where(places < eligible, factors, 1).cumprod(1)
    return 1 - miss_chances[:, np.array(DEPTHS) - 1]


def _compute_vote_chances(counts: Ints, query_labels: Ints) -> Floats:
    """The chance that the vote of each depth is right, [Q, depths]."""
    rows = np.arange(len(query_labels))
    own_counts = counts[rows, query_labels]
    others = counts.copy()
    others[rows, query_labels] = 0
    kinds, back = np.unique(np.column_stack([own_counts, np.sort(others, axis=1)]), axis=0, return_inverse=True)
    chances = np.stack([_compute_majority_chance(kinds[:, 0], kinds[:, 1:], k) for k in DEPTHS], axis=1)
    return chances[back.ravel()]


def _compute_majority_chance(own_counts: Ints, others: Ints, k: int) -> Floats:
    """The chance that `own` slides of U rows win the vote of k drawn without replacement from them and others [U, C].

    Summed over the j votes that the own label gets: ways in which no other label gets more, over all ways; with t other
    labels that get j as well, the nearest neighbour is its own in one of 1 + t cases.
    """
    total = own_counts + others.sum(1)
    draws = np.minimum(k, total)
    chances = np.zeros(len(own_counts))
    for votes in range(1, k + 1):
        ways = _count_ways(others, votes, k)
        other_draws = np.maximum(draws - votes, 0)[:, None, None]
        way_counts = np.take_along_axis(ways, np.broadcast_to(other_draws, (len(own_counts), ways.shape[1], 1)), 2)[
            :, :, 0
        ]
        wins = (way_counts / np.arange(1, ways.shape[1] + 1)).sum(1)
        chances += np.where(votes <= draws, _choose(own_counts, votes) * wins, 0)
    return chances / _choose(total, draws)


def _count_ways(others: Ints, votes: int, k: int) -> Floats:
    """In how many ways s slides can be drawn from labels [U, C] so that t of them get exactly `votes` and none more;
    float64 [U, t, s], s up to k."""
    ties = k // votes
    ways = np.zeros((len(others), ties + 1, k + 1))
    ways[:, 0, 0] = 1
    for size in others.T:
        next_ways = np.zeros_like(ways)
        for count in range(votes):
            next_ways[:, :, count:] += ways[:, :, : k + 1 - count] * _choose(size, count)[:, None, None]
        next_ways[:, 1:, votes:] += ways[:, :-1, : k + 1 - votes] * _choose(size, votes)[:, None, None]
        ways = next_ways
    return ways


def _choose(total: Ints, draws: Ints | int) -> Floats:
    """Binomial coefficients as float64."""
    coefficients = np.ones(np.broadcast(total, draws).shape)
    for i in range(int(np.max(draws, initial=0))):
        coefficients = np.where(i < draws, coefficients * np.maximum(total - i, 0) / (i + 1), coefficients)
    return coefficients


def _simulate_votes(counts: Ints, truth: Ints, k: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """How many votes are right, and how many there are, by voted label, [rounds, C] each, in blocks of rounds."""
    rng = np.random.default_rng(seed)
    queries, classes = counts.shape
    rounds = max(_LEAST_ROUNDS, -(-_SIMULATED_VOTES // queries))
    size = max(1, _BLOCK_CELLS // counts.size)
    for start in range(0, rounds, size):
        repeats = min(size, rounds - start)
        votes = find_majority(_draw_labels(np.tile(counts, (repeats, 1)), k, rng))[0].reshape(repeats, queries)
        cells = votes + classes * np.arange(repeats)[:, None]
        sums = [
            np.bincount(cells[is_counted], minlength=repeats * classes)
            for is_counted in (votes == truth, votes != NOBODY)
        ]
        yield sums[0].reshape(repeats, classes), sums[1].reshape(repeats, classes)


def _draw_labels(counts: Ints, k: int, rng: np.random.Generator) -> Ints:
    """Labels of k slides drawn without replacement from each row of counts [R, C]: [R, k], NOBODY if none is left."""
    remaining = counts.copy()
    rows = np.arange(len(remaining))
    labels = np.full((len(remaining), k), NOBODY, np.int64)
    for place in range(k):
        cumulative = remaining.cumsum(1)
        target = rng.random(len(remaining)) * cumulative[:, -1]
        label = np.minimum((cumulative <= target[:, None]).sum(1), remaining.shape[1] - 1)
        has_slides = cumulative[:, -1] > 0
        labels[has_slides, place] = label[has_slides]
        remaining[rows[has_slides], label[has_slides]] -= 1
    return labels
