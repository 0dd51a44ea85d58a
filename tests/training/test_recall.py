"""Recalls against plain loops."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.training.pairs import TrainingPair
from histoseek.training.recall_at_k import Answer, Direction, expected_hits, find_recall, recalls


def _pairs(patients: list[int], texts: list[int], diagnoses: list[str] | None = None) -> list[TrainingPair]:
    names = diagnoses or [""] * len(texts)
    return [
        TrainingPair(f"s{i}", f"s{i}", f"p{p}", f"text {t}", Path("none"), name)
        for i, (p, t, name) in enumerate(zip(patients, texts, names, strict=True))
    ]


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 500))
def test_ties_are_worth_their_mean_over_all_orders(count: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, count).astype(np.float64)
    allowed, right = rng.random(count) < 0.8, rng.random(count) < 0.4
    allowed[0] = right[0] = True
    hits = []
    for order in itertools.permutations(np.flatnonzero(allowed)):
        ranked = sorted(order, key=lambda i: -scores[i])
        hits.append(any(right[i] for i in ranked[:k]))
    found = expected_hits(scores[None], allowed[None], right[None], k)
    assert found[0] == pytest.approx(np.mean(hits))


def _naive(queries: np.ndarray, answers: np.ndarray, allowed: list[list[int]], right: list[set[int]], k: int) -> float:
    hits = []
    for i, query in enumerate(queries):
        if right[i] & set(allowed[i]):
            ranked = sorted(allowed[i], key=lambda j: -float(query @ answers[j]))
            hits.append(bool(right[i] & set(ranked[:k])))
    return float(np.mean(hits)) if hits else float("nan")


@settings(max_examples=25)
@given(st.integers(4, 14), st.integers(0, 500), st.booleans())
def test_all_directions_against_loops(count: int, seed: int, labelled: bool) -> None:
    rng = np.random.default_rng(seed)
    patients, reports = rng.integers(0, 5, count).tolist(), rng.integers(0, 6, count).tolist()
    names = [f"d{t % 3}" for t in reports] if labelled else None
    pairs = _pairs(patients, reports, names)
    slides = rng.standard_normal((count, 4)).astype(np.float32)
    texts = rng.standard_normal((6, 4)).astype(np.float32)[reports]
    label = [t % 3 for t in reports] if labelled else reports
    every = range(count)
    firsts = [reports.index(t) for t in sorted(set(reports))]
    others = [[j for j in every if patients[j] != patients[i]] for i in every]
    same = [{j for j in every if label[j] == label[i]} for i in every]
    found = recalls(slides, texts, pairs, 0)

    def expect(direction: Direction, answer: Answer, naive: float) -> None:
        assert find_recall(found, direction, answer, 1) == pytest.approx(naive, nan_ok=True)

    expect("slide->slide", "group", _naive(slides, slides, others, same, 1))
    group = [{reports.index(t)} for t in reports]
    expect("slide->report", "group", _naive(slides, texts, [firsts] * count, group, 1))
    twins = [{j for j in every if reports[j] == reports[i]} for i in every]
    expect("text->slide", "group", _naive(texts, slides, [list(every)] * count, twins, 1))
    expect("text->slide", "pair", _naive(texts, slides, [list(every)] * count, [{i} for i in every], 1))
    expect("slide->report", "diagnosis", _naive(slides, texts, others, same, 1))
    expect("text->slide", "diagnosis", _naive(texts, slides, others, same, 1))
    if not labelled:
        assert np.isnan(find_recall(found, "text->report", "group", 1))


def test_identical_reports_share_the_hit_by_pair_and_are_one_answer_by_group() -> None:
    pairs = _pairs([0, 1, 2, 3], [0, 0, 0, 1])
    texts = np.eye(4, dtype=np.float32)[[0, 0, 0, 1]]
    found = recalls(texts, texts, pairs, 0)
    assert find_recall(found, "slide->report", "pair", 1) == pytest.approx((3 * 1 / 3 + 1) / 4)
    assert find_recall(found, "slide->report", "group", 1) == 1.0
    groups = next(r for r in found if r.direction == "slide->report" and r.answer == "group" and r.k == 1)
    assert groups.chance == pytest.approx(0.5)


def test_chance_is_what_random_vectors_reach_on_average() -> None:
    rng = np.random.default_rng(0)
    pairs = _pairs(rng.integers(0, 12, 30).tolist(), rng.integers(0, 8, 30).tolist(), [f"d{i % 4}" for i in range(30)])
    runs = []
    for _ in range(300):
        slides = rng.standard_normal((30, 6)).astype(np.float32)
        texts = rng.standard_normal((30, 6)).astype(np.float32)
        runs.append(recalls(slides, texts, pairs, 0))
    for position, first in enumerate(runs[0]):
        mean = np.mean([run[position].value for run in runs])
        assert mean == pytest.approx(first.chance, abs=0.05), first


def test_intervals_resample_patients_not_slides() -> None:
    """Ten patients of 10 slides each, half of them always right: slides move together, so the interval is wide."""
    pairs = _pairs([i // 10 for i in range(100)], list(range(100)))
    slides = np.eye(100, dtype=np.float32)
    texts = np.vstack([slides[:50], np.roll(slides[50:], 1, axis=0)])
    found = next(r for r in recalls(slides, texts, pairs, 0) if r.direction == "slide->report" and r.k == 1)
    assert (found.value, found.low, found.high) == (0.5, pytest.approx(0.2), pytest.approx(0.8))
    few = _pairs([0] * 50 + [1] * 50, list(range(100)))
    found = next(r for r in recalls(slides, texts, few, 0) if r.direction == "slide->report" and r.k == 1)
    assert np.isnan(found.low) and np.isnan(found.high)
    spread = _pairs(list(range(100)), list(range(100)))
    narrow = next(r for r in recalls(slides, texts, spread, 0) if r.direction == "slide->report" and r.k == 1)
    assert 0.38 < narrow.low < 0.44 and 0.56 < narrow.high < 0.62


def test_unanimous_queries_have_an_exact_interval() -> None:
    pairs, vectors = _pairs(list(range(20)), list(range(20))), np.eye(20, dtype=np.float32)
    found = next(r for r in recalls(vectors, vectors, pairs, 0) if r.direction == "slide->report" and r.k == 1)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low**20 == pytest.approx(0.025)
