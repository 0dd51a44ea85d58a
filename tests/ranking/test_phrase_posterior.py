"""How probable it is that a report states a phrase: against a naive fit, and against known truth."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from histoseek.ranking.phrase_posterior import StatedPhrases, fit_phrases, predict_held_out
from histoseek.ranking.reliability import measure_reliability


def make_statements(
    rates: list[float], shifts: list[float], patients: int, slides: int, seed: int = 0
) -> tuple[StatedPhrases, NDArray[np.float64]]:
    """Slides whose similarities are normal, moved by `shifts` spreads where the phrase is stated; their true odds."""
    rng = np.random.default_rng(seed)
    owners = np.arange(slides) % patients
    stated = (rng.random((len(rates), patients)) < np.array(rates)[:, None])[:, owners]
    moved = np.array(shifts)[:, None]
    z = rng.normal(size=stated.shape) + moved * stated
    odds = np.log(np.array(rates) / (1 - np.array(rates)))[:, None] + moved * z - moved**2 / 2
    return StatedPhrases(0.3 + 0.1 * z, stated, np.ones_like(stated), owners), 1 / (1 + np.exp(-odds))


Fitted = tuple[float, float, float]


def squash(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))


def descend(loss: Callable[[NDArray[np.float64]], float], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a smooth convex function of two numbers is least: Newton's steps by differences."""
    axes = np.eye(2) * 1e-4
    for _ in range(30):
        gradient = np.array([(loss(place + axis) - loss(place - axis)) / 2e-4 for axis in axes])
        curvature = np.array(
            [
                [loss(place + a + b) - loss(place + a - b) - loss(place - a + b) + loss(place - a - b) for a in axes]
                for b in axes
            ]
        )
        place = place - np.linalg.solve(curvature / 4e-8, gradient)
    return place


def fit_naively(points: list[tuple[float, bool, float]], base: float, mean: float, precision: float) -> Fitted:
    """Slope and offset by (z, whether stated, weight), and the information about the slope."""

    def misfit(place: NDArray[np.float64]) -> float:
        lost = 0.5 * precision * (place[0] - mean) ** 2 + 0.5 * 0.1 * place[1] ** 2
        for z, stated, weight in points:
            likely = squash(base + place[0] * z + place[1])
            lost -= weight * math.log(likely if stated else 1 - likely)
        return float(lost)

    slope, offset = descend(misfit, np.array([mean, 0.0]))
    information = np.zeros((2, 2))
    for z, _, weight in points:
        likely = squash(base + slope * z + offset)
        information += weight * likely * (1 - likely) * np.outer([z, 1], [z, 1])
    own = information[0, 0] - information[0, 1] ** 2 / (information[1, 1] + 0.1)
    return slope, offset, own


def test_a_fit_is_that_of_naive_code() -> None:
    known, _ = make_statements([0.4, 0.3, 0.5], [1.5, 0.2, 3.0], patients=30, slides=45)
    is_known = known.is_known.copy()
    is_known[0, ::7] = False
    posterior = fit_phrases(StatedPhrases(known.similarities, known.is_stated & is_known, is_known, known.patients))
    phrases = []
    for similarities, stated, kept in zip(known.similarities, known.is_stated, is_known, strict=True):
        rows = [(s, bool(t), p) for s, t, p, k in zip(similarities, stated, known.patients, kept, strict=True) if k]
        weights = [1 / sum(one == p for _, _, one in rows) for _, _, p in rows]
        whole = sum(weights)
        prior = (sum(w for w, (_, t, _) in zip(weights, rows, strict=True) if t) + 0.5) / (whole + 1)
        means = []
        for kind in (False, True):
            of_kind = [(w, s) for w, (s, t, _) in zip(weights, rows, strict=True) if t == kind]
            means.append(sum(w * s for w, s in of_kind) / sum(w for w, _ in of_kind))
        variance = sum(w * (s - means[t]) ** 2 for w, (s, t, _) in zip(weights, rows, strict=True)) / whole
        points = [((s - means[0]) / math.sqrt(variance), t, w) for w, (s, t, _) in zip(weights, rows, strict=True)]
        assert max(abs(z) for z, _, _ in points) < 5.5
        points = [(max(-5.0, min(5.0, z)), t, w) for z, t, w in points]
        phrases.append((points, math.log(prior / (1 - prior)), prior, means[0], math.sqrt(variance), whole))
    first = [fit_naively(points, base, 0.0, 1.0) for points, base, *_ in phrases]
    whole_information = sum(own for *_, own in first)
    mean = sum(own * slope for slope, _, own in first) / whole_information
    scatter = sum(own * (slope - mean) ** 2 for slope, _, own in first) - 2
    between = scatter / (whole_information - sum(own**2 for *_, own in first) / whole_information)
    assert between > 0.01
    for place, (points, base, prior, centre, spread, whole) in enumerate(phrases):
        slope, offset, _ = fit_naively(points, base, mean, 1 / between)
        assert posterior.priors[place] == pytest.approx(prior, abs=1e-12)
        assert (posterior.slopes[place], posterior.offsets[place]) == pytest.approx((slope, offset), abs=1e-5)
        doubt = 1 / (whole + 2)
        likely = (1 - doubt) * squash(base + slope * (0.45 - centre) / spread + offset) + doubt * prior
        assert posterior(np.full(3, 0.45))[place] == pytest.approx(likely, abs=1e-5)


def test_probabilities_are_those_that_made_the_statements() -> None:
    rates, shifts = [0.1, 0.3, 0.5, 0.2], [2.0, 1.0, 1.5, 0.0]
    known, _ = make_statements(rates, shifts, patients=600, slides=800)
    later, truth = make_statements(rates, shifts, patients=5000, slides=5000, seed=1)
    predicted = fit_phrases(known)(later.similarities)
    assert np.abs(predicted - truth).mean() < 0.03
    for row, stated in zip(predicted, later.is_stated, strict=True):
        assert measure_reliability(row, stated, np.ones(len(row))).ece < 0.05


def test_the_error_on_patients_held_out_is_small() -> None:
    known, _ = make_statements([0.2, 0.4, 0.3], [1.5, 1.0, 2.0], patients=150, slides=200)
    predicted = predict_held_out(known, 5)
    held_out = measure_reliability(predicted.ravel(), known.is_stated.ravel(), known.weigh().ravel())
    blind = measure_reliability(
        np.repeat(fit_phrases(known).priors, 200), known.is_stated.ravel(), known.weigh().ravel()
    )
    assert held_out.ece < 0.06 and held_out.log_loss < blind.log_loss - 0.05


def test_what_fits_better_is_never_less_probable_and_nothing_is_sure() -> None:
    known, _ = make_statements([0.3, 0.5], [6.0, -2.0], patients=40, slides=40)
    posterior = fit_phrases(known)
    likely = posterior(np.linspace(-3, 3, 50)[None].repeat(2, axis=0))
    assert (np.diff(likely, axis=1) >= 0).all()
    assert likely.min() > 0.3 / 42 / 2 and likely.max() < 1 - 0.5 / 42 / 2
    # Beyond what the archive has, and for a phrase that is stated where it fits less, nothing more is said.
    assert posterior(np.array([9.0, 9.0]))[0] == posterior(known.similarities.max(axis=1))[0]
    assert likely[1] == pytest.approx(posterior.priors[1])


def test_few_patients_move_a_probability_little() -> None:
    """The same evidence for a phrase that three patients have and for one that a hundred have."""
    many, _ = make_statements([0.5], [3.0], patients=200, slides=200)
    far = many.similarities.max(axis=1)
    lifts = []
    for patients in (200, 6):
        some = many.take(many.patients < patients)
        posterior = fit_phrases(some)
        lifts.append(float(posterior(far)[0] - posterior.priors[0]))
    assert 0 <= lifts[1] < lifts[0] - 0.05


def test_patients_count_once_and_unknown_reports_not_at_all() -> None:
    known, _ = make_statements([0.4, 0.4], [1.0, 1.0], patients=30, slides=30)
    doubled = np.r_[np.arange(30), np.arange(10)]
    stated = known.is_stated[:, doubled]
    twice = StatedPhrases(known.similarities[:, doubled], stated, np.ones_like(stated), known.patients[doubled])
    unknown = np.zeros((2, 5), np.bool_)
    parts = (known.similarities, np.full((2, 5), 7.0)), (known.is_stated, unknown), (known.is_known, unknown)
    beside = StatedPhrases(*(np.hstack(each) for each in parts), np.r_[known.patients, np.arange(90, 95)])
    at = np.array([0.4, 0.35])
    for other in (twice, beside):
        assert fit_phrases(other)(at) == pytest.approx(fit_phrases(known)(at), abs=1e-9)


def test_an_archive_that_knows_nothing_says_nothing() -> None:
    nothing = StatedPhrases(np.zeros((2, 0)), *(np.zeros((2, 0), np.bool_),) * 2, np.zeros(0, np.int64))
    assert fit_phrases(nothing)(np.array([0.1, 0.9])) == pytest.approx([0.5, 0.5])
    all_stated = StatedPhrases(np.ones((1, 9)), *(np.ones((1, 9), np.bool_),) * 2, np.arange(9))
    assert fit_phrases(all_stated)(np.array([1.0])) == pytest.approx([9.5 / 10])
