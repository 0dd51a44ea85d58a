"""Every figure of a ranking against plain loops, and what chance gives against all orders or many random ones."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.errors import ConfigurationError
from histoseek.evaluation.neighbours import NOBODY, Neighbours
from histoseek.evaluation.scores import Scores, score, vote
from tests.evaluation.rankings import labels_of, naive_values, naive_vote, ranking


def drawn(
    count: int, classes: int, patients: int, steps: int, seed: int
) -> tuple[Neighbours, np.ndarray, np.ndarray, int]:
    """A ranking with ties, some slides that are not given, queries and a database that are parts of the cohort."""
    rng = np.random.default_rng(seed)
    labels, owners = rng.integers(0, classes, count), rng.integers(0, patients, count)
    distances = rng.integers(0, steps, (count, count)).astype(np.float64)
    distances[rng.random((count, count)) < 0.1] = math.inf
    queries = np.flatnonzero(rng.random(count) < 0.8)
    database = np.flatnonzero(rng.random(count) < 0.9)
    return ranking(distances, labels, owners, queries.tolist(), database.tolist()), labels, owners, classes


def scored(neighbours: Neighbours, labels: np.ndarray, owners: np.ndarray, classes: int) -> Scores:
    return score(neighbours, labels, [f"class {i}" for i in range(classes)], owners)


CASES = given(st.integers(2, 22), st.integers(1, 4), st.integers(1, 12), st.integers(1, 40), st.integers(0, 10**6))


@settings(max_examples=25)
@CASES
def test_every_query_has_its_naive_value(count: int, classes: int, patients: int, steps: int, seed: int) -> None:
    neighbours, labels, owners, _ = drawn(count, classes, patients, steps, seed)
    scores = scored(neighbours, labels, owners, classes)
    assert scores.without_answer == sum(neighbours.relevant == 0)
    for row, query in enumerate(neighbours.queries):
        found = labels_of(neighbours, labels, row)
        top = naive_vote(found[:5])
        assert scores.votes[row] == top
        assert scores.confidence[row] == (found[:5].count(top) / len(found[:5]) if found else 0)
        if neighbours.relevant[row] == 0:
            assert np.isnan(scores.per_query[row]).all()
            continue
        expected = naive_values(found, labels[query], int(neighbours.relevant[row]))
        assert dict(zip(scores.names, scores.per_query[row], strict=True)) == pytest.approx(expected)


@settings(max_examples=25)
@CASES
def test_averages_and_confusion_are_the_naive_ones(
    count: int, classes: int, patients: int, steps: int, seed: int
) -> None:
    neighbours, labels, owners, _ = drawn(count, classes, patients, steps, seed)
    scores = scored(neighbours, labels, owners, classes)
    asked = [row for row in range(len(neighbours.queries)) if neighbours.relevant[row]]
    truth = [int(labels[neighbours.queries[row]]) for row in asked]
    votes = [int(scores.votes[row]) for row in asked]
    confusion = np.zeros((classes, classes + 1), int)
    for true, voted in zip(truth, votes, strict=True):
        confusion[true, classes if voted == NOBODY else voted] += 1
    assert (scores.confusion == confusion).all()
    present = sorted(set(truth))
    f1s = []
    for code in present:
        own = [row for row, true in zip(asked, truth, strict=True) if true == code]
        right = sum(voted == true == code for true, voted in zip(truth, votes, strict=True))
        f1s.append(2 * right / (votes.count(code) + len(own)))
        found = {metric.name: metric.value for metric in scores.classes[code].metrics}
        for column, name in enumerate(scores.names):
            assert found[name] == pytest.approx(np.mean([scores.per_query[row, column] for row in own]))
        assert found["recall"] == pytest.approx(right / len(own))
        assert found["precision"] == pytest.approx(
            right / votes.count(code) if code in votes else math.nan, nan_ok=True
        )
        assert found["F1"] == pytest.approx(f1s[-1])
    for code in set(range(classes)) - set(present):
        assert all(math.isnan(metric.value) for metric in scores.classes[code].metrics)
    if not asked:
        assert all(math.isnan(metric.value) and metric.queries == 0 for metric in scores.metrics)
        return
    for column, name in enumerate(scores.names):
        assert scores.get_metric(name).value == pytest.approx(np.mean([scores.per_query[row, column] for row in asked]))
        by_class = [scores.classes[code].metrics[column].value for code in present]
        assert scores.get_metric(f"macro {name}").value == pytest.approx(np.mean(by_class))
    assert scores.get_metric("balanced accuracy").value == scores.get_metric("macro mMV@5").value
    assert scores.get_metric("macro-F1").value == pytest.approx(np.mean(f1s))


@settings(max_examples=15)
@given(st.integers(4, 40), st.integers(1, 5), st.integers(0, 10**6))
def test_balanced_accuracy_and_f1_are_those_of_scikit_learn(count: int, classes: int, seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    neighbours, labels, owners, _ = drawn(count, classes, count, 8, seed)
    scores = scored(neighbours, labels, owners, classes)
    asked = scores.answerable
    if not asked.any():
        return
    truth, votes = labels[scores.queries][asked], scores.votes[asked]
    recall = metrics.recall_score(truth, votes, labels=np.unique(truth), average="macro", zero_division=0)
    if set(votes) <= set(truth) and len(set(truth)) > 1:
        assert recall == pytest.approx(metrics.balanced_accuracy_score(truth, votes))
    f1 = metrics.f1_score(truth, votes, labels=np.unique(truth), average="macro", zero_division=0)
    assert scores.get_metric("balanced accuracy").value == pytest.approx(recall)
    assert scores.get_metric("macro-F1").value == pytest.approx(f1)
    labelled = metrics.confusion_matrix(truth, votes, labels=[*range(classes), NOBODY])
    assert (scores.confusion == labelled[:classes]).all()


@settings(max_examples=8)
@given(st.integers(2, 6), st.integers(1, 4), st.integers(0, 10**6))
def test_chance_is_the_mean_over_all_orders(count: int, classes: int, seed: int) -> None:
    """Each slide of another patient, so that the labels a query can meet are exactly known."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    neighbours = ranking(rng.random((count, count)), labels, np.arange(count))
    scores = scored(neighbours, labels, np.arange(count), classes)
    for row in np.flatnonzero(scores.answerable):
        others = [int(labels[slide]) for slide in range(count) if slide != row]
        relevant = others.count(labels[row])
        all_orders = [naive_values(order, labels[row], relevant) for order in itertools.permutations(others)]
        expected = {name: np.mean([values[name] for values in all_orders]) for name in scores.names}
        assert dict(zip(scores.names, scores.chances[row], strict=True)) == pytest.approx(expected)
    assert np.isnan(scores.chances[~scores.answerable]).all()


@pytest.mark.parametrize("sizes", [(12, 9, 4), (30, 2), (3, 3, 3, 3, 3, 3, 3), (14,)])
def test_chance_is_the_mean_over_random_orders(sizes: tuple[int, ...]) -> None:
    """More slides than can be put in all orders; two slides a patient; within four standard errors."""
    labels = np.repeat(np.arange(len(sizes)), [2 * size for size in sizes])
    owners = np.arange(len(labels)) // 2
    rng = np.random.default_rng(3)
    scores = scored(ranking(rng.random((len(labels),) * 2), labels, owners), labels, owners, len(sizes))
    for code in range(len(sizes)):
        query = int(np.flatnonzero(labels == code)[0])
        others = labels[owners != owners[query]]
        relevant = int((others == code).sum())
        rounds = [naive_values(rng.permutation(others)[:10].tolist(), code, relevant) for _ in range(1500)]
        for name, chance in zip(scores.names, scores.chances[query], strict=True):
            error = math.sqrt(max(0, chance * (1 - chance)) / 1500)
            assert np.mean([values[name] for values in rounds]) == pytest.approx(chance, abs=4 * error + 1e-9)


def test_chance_of_precision_and_f1_is_that_of_random_votes() -> None:
    labels = np.repeat([0, 1, 2], [14, 8, 4])
    count = len(labels)
    rng = np.random.default_rng(5)
    scores = scored(ranking(rng.random((count, count)), labels, np.arange(count)), labels, np.arange(count), 3)
    precisions, f1s = [], []
    for _ in range(800):
        votes = np.array([naive_vote(rng.permutation(np.delete(labels, i))[:5].tolist()) for i in range(count)])
        right = np.bincount(labels[votes == labels], minlength=3)
        voted = np.bincount(votes, minlength=3)
        precisions.append(np.where(voted > 0, right / np.maximum(voted, 1), math.nan))
        f1s.append(2 * right / (voted + np.bincount(labels)))
    found = [{metric.name: metric.chance for metric in each.metrics} for each in scores.classes]
    assert [each["precision"] for each in found] == pytest.approx(np.nanmean(precisions, 0), abs=0.02)
    assert [each["F1"] for each in found] == pytest.approx(np.mean(f1s, 0), abs=0.02)
    assert scores.get_metric("macro-F1").chance == pytest.approx(np.mean(f1s), abs=0.015)


def test_a_class_with_one_patient_is_left_out_and_counted() -> None:
    labels, owners = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 3, 4, 5, 5])
    distances = (labels[:, None] != labels).astype(np.float64)
    scores = scored(ranking(distances, labels, owners), labels, owners, 3)
    assert scores.without_answer == 2
    assert scores.answerable.tolist() == [True] * 5 + [False] * 2
    lonely = scores.classes[2]
    assert (lonely.slides, lonely.patients) == (2, 1)
    assert all(math.isnan(metric.value) and metric.queries == 0 for metric in lonely.metrics)
    assert scores.get_metric("top-1").value == scores.get_metric("macro top-1").value == 1
    assert scores.confusion[2].sum() == 0
    assert scores.get_metric("top-1").queries == 5


def test_one_class_is_always_right_by_chance_too() -> None:
    labels = np.zeros(8, np.int64)
    scores = scored(ranking(np.ones((8, 8)), labels, np.arange(8)), labels, np.arange(8), 1)
    for name in ("top-1", "mMV@5", "recall@10", "MAP@10", "nDCG@3", "balanced accuracy", "macro-F1"):
        metric = scores.get_metric(name)
        assert (metric.value, metric.high) == (1, 1)
        assert metric.low == pytest.approx(0.025 ** (1 / 8))
        assert metric.chance == pytest.approx(1)


def test_fewer_slides_than_k_are_all_found() -> None:
    """Three slides a query may meet, two of its class: at any depth from three on nothing more is to be had."""
    labels, owners = np.array([0, 0, 0, 1]), np.arange(4)
    distances = (labels[:, None] != labels).astype(np.float64)
    scores = scored(ranking(distances, labels, owners), labels, owners, 2)
    first = dict(zip(scores.names, scores.per_query[0], strict=True))
    chance = dict(zip(scores.names, scores.chances[0], strict=True))
    for k in (3, 5, 10):
        assert first[f"fraction@{k}"] == first[f"MAP@{k}"] == first[f"nDCG@{k}"] == 1
        assert chance[f"recall@{k}"] == chance[f"fraction@{k}"] == 1
    assert scores.confidence[0] == pytest.approx(2 / 3)


def test_queries_without_neighbours_are_wrong_not_lost() -> None:
    labels, owners = np.array([0, 0, 1, 1]), np.arange(4)
    distances = np.ones((4, 4))
    distances[0] = math.inf
    neighbours = ranking(distances, labels, owners)
    scores = scored(neighbours, labels, owners, 2)
    assert scores.votes[0] == NOBODY
    assert scores.confidence[0] == 0
    assert np.nansum(scores.per_query[0]) == 0
    assert scores.confusion[0].tolist()[-1] == 1
    assert scores.confusion.sum() == 4


def test_no_queries_at_all_leave_everything_undefined() -> None:
    labels = np.array([0, 1, 1])
    scores = scored(ranking(np.ones((3, 3)), labels, np.arange(3), queries=[]), labels, np.arange(3), 2)
    assert scores.per_query.shape == (0, len(scores.names))
    assert all(math.isnan(metric.value) for metric in scores.metrics)


def test_few_patients_give_values_without_intervals() -> None:
    """Seven patients in all, five of one class and two of the other."""
    labels, owners = np.array([0] * 6 + [1] * 2), np.array([0, 0, 1, 2, 3, 4, 5, 6])
    distances = (labels[:, None] != labels).astype(np.float64)
    scores = scored(ranking(distances, labels, owners), labels, owners, 2)
    few = scored(ranking(distances, labels, owners, queries=[0, 1, 2]), labels, owners, 2).get_metric("top-1")
    assert few.value == 1
    assert math.isnan(few.low)
    assert math.isnan(few.high)
    large, small = (each.metrics[0] for each in scores.classes)
    assert (large.value, small.value) == (1, 1)
    assert large.low == pytest.approx(0.025 ** (1 / 5))
    assert math.isnan(small.low)
    assert scores.get_metric("top-1").low == pytest.approx(0.025 ** (1 / 7))
    assert scores.get_metric("macro top-1").low == pytest.approx((0.025 ** (1 / 5) + 0.025 ** (1 / 2)) / 2)
    turned = scored(ranking(1 - distances, labels, owners), labels, owners, 2).get_metric("top-1")
    assert (turned.value, turned.low) == (0, 0)
    assert turned.high == pytest.approx(1 - 0.025 ** (1 / 7))


def test_a_tied_vote_goes_to_the_nearest_neighbour_not_to_the_lowest_label() -> None:
    labels = np.array([0, 2, 1, 1, 2, 0])
    distances = np.tile(np.arange(6.0), (6, 1))
    neighbours = ranking(distances, labels, np.arange(6), queries=[0])
    assert vote(neighbours, labels, 2)[0].tolist() == [2]
    assert vote(neighbours, labels, 4)[0].tolist() == [2]
    assert vote(neighbours, labels, 3)[0].tolist() == [1]
    assert vote(neighbours, labels, 4)[1].tolist() == [0.5]


def test_a_ranking_cut_too_early_is_refused() -> None:
    labels = np.zeros(8, np.int64)
    with pytest.raises(ConfigurationError, match="Rank at least 10"):
        scored(ranking(np.ones((8, 8)), labels, np.arange(8), depth=5), labels, np.arange(8), 1)


def test_the_seed_alone_decides() -> None:
    neighbours, labels, owners, classes = drawn(20, 3, 9, 30, 1)
    names = [str(i) for i in range(classes)]
    first, again, other = (score(neighbours, labels, names, owners, seed) for seed in (1, 1, 2))
    assert first.metrics == again.metrics
    assert first.get_metric("top-1") != other.get_metric("top-1")
    assert first.get_metric("top-1").value == other.get_metric("top-1").value
