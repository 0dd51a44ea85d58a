"""Planted site effects are found, absent ones are not, and a fall is told from what chance loses."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from histoseek.errors import ConfigurationError
from histoseek.evaluation.confounders import (
    SiteCheck,
    check_site,
    measure_label_predictability,
    measure_predictability,
    measure_preference,
    shuffle_values,
)
from histoseek.evaluation.neighbours import NOBODY, Neighbours
from histoseek.evaluation.scores import score
from tests.evaluation.rankings import ranking

COUNT, CLASSES, SITES = 96, 2, 3


class Simulated:
    """Slides, two a patient, whose vectors are a class, a site and noise; `tied`: how often the site is the class."""

    def __init__(self, class_effect: float, site_effect: float, seed: int, tied: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        self.patients = np.arange(COUNT) // 2
        self.labels = rng.integers(0, CLASSES, COUNT)[self.patients]
        self.sites = np.where(rng.random(COUNT) < tied, self.labels, rng.integers(0, SITES, COUNT))[2 * self.patients]
        looks, marks = rng.standard_normal((CLASSES, 32)), rng.standard_normal((SITES, 32))
        vectors = class_effect * looks[self.labels] + site_effect * marks[self.sites]
        vectors += rng.standard_normal((COUNT, 32))
        self.vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        self.names = [f"site {site}" for site in self.sites]

    def check(self) -> SiteCheck:
        distances = 1.0 - self.vectors @ self.vectors.T
        same = self.sites[:, None] == self.sites
        dealt = shuffle_values(self.sites, self.labels, self.patients, 0)
        found = []
        for barred in (np.zeros_like(same), same, dealt[:, None] == dealt):
            parts = ranking(np.where(barred, math.inf, distances), self.labels, self.patients)
            allowed = (self.patients[:, None] != self.patients) & ~barred
            relevant = (allowed & (self.labels[:, None] == self.labels)).sum(1)
            counted = replace(parts, eligible=allowed.sum(1), relevant=relevant)
            found.append(score(counted, self.labels, ["a", "b"], self.patients))
        told = measure_predictability(self.vectors, self.names, self.patients, 0)
        alone = measure_label_predictability(self.labels, self.names, self.patients, 0)
        return check_site("site", told, alone, found[0], found[1], self.patients, 0, control_scores=found[2])


def test_a_planted_site_effect_is_found() -> None:
    slides = Simulated(0.5, 1.0, 0)
    found = measure_predictability(slides.vectors, slides.names, slides.patients, 0)
    assert found.value > 0.95
    assert found.low > 0.7
    assert found.chance == pytest.approx(1 / SITES)
    assert found.queries == COUNT


def test_without_a_site_effect_the_interval_covers_chance() -> None:
    """In about 95 of 100 cohorts: 54 of 60 or more, where the plain bootstrap has 49."""
    found = []
    for seed in range(60):
        slides = Simulated(0.5, 0.0, seed)
        found.append(measure_predictability(slides.vectors, slides.names, slides.patients, seed))
    assert sum(one.low <= one.chance <= one.high for one in found) >= 54
    assert np.mean([one.value for one in found]) == pytest.approx(1 / SITES, abs=0.03)


def test_patients_are_never_split() -> None:
    """Vectors that tell patients apart and nothing else would give sites away to a split by slides."""
    rng = np.random.default_rng(1)
    patients = np.arange(COUNT) // 4
    vectors = rng.standard_normal((COUNT, 64))[4 * patients] + 0.01 * rng.standard_normal((COUNT, 64))
    names = [f"site {site}" for site in rng.integers(0, 2, COUNT)[patients]]
    assert measure_predictability(vectors.astype(np.float32), names, patients, 0).value < 0.75
    assert measure_predictability(vectors.astype(np.float32), names, np.arange(COUNT), 0).value > 0.99


def test_unequal_sites_do_not_raise_chance() -> None:
    """Nine of ten slides from one site: saying that site always is worth a half, not nine tenths."""
    rng = np.random.default_rng(0)
    names = ["small" if i % 10 == 0 else "large" for i in range(200)]
    found = measure_predictability(rng.standard_normal((200, 16)).astype(np.float32), names, np.arange(200), 0)
    assert found.chance == 0.5
    assert found.low <= 0.5 <= found.high
    constant = measure_predictability(np.ones((200, 16), np.float32), names, np.arange(200), 0)
    assert constant.value == pytest.approx(0.5)


def test_a_small_site_is_found_among_large_ones() -> None:
    """With an effect as weak as this, guessing the large site would be right most often, and say nothing."""
    rng = np.random.default_rng(1)
    small = np.arange(300) % 10 == 0
    vectors = rng.standard_normal((300, 8)) + 0.8 * small[:, None]
    names = ["small" if one else "large" for one in small]
    found = measure_predictability(vectors.astype(np.float32), names, np.arange(300), 0)
    assert found.low > 0.6


def test_missing_and_lonely_values_are_left_out() -> None:
    slides = Simulated(0.0, 1.0, 2)
    names = [None if i < 6 else name for i, name in enumerate(slides.names)]
    names[6] = names[7] = "a site with one patient"
    found = measure_predictability(slides.vectors, names, slides.patients, 0)
    kept = np.arange(8, COUNT)
    same = measure_predictability(slides.vectors[kept], slides.names[8:], slides.patients[kept], 0)
    assert found.queries == COUNT - 8
    assert (found.value, found.low, found.high, found.chance) == (same.value, same.low, same.high, same.chance)


@pytest.mark.parametrize("names", [[None] * COUNT, ["one"] * COUNT, [f"patient {i // 2}" for i in range(COUNT)]])
def test_nothing_to_tell_is_undefined(names: list[str | None]) -> None:
    slides = Simulated(0.0, 1.0, 2)
    found = measure_predictability(slides.vectors, names, slides.patients, 0)
    assert math.isnan(found.value)
    assert found.queries == 0


def test_exclusion_of_the_same_site_shows_the_fall() -> None:
    """Sites decide how slides look, and mostly go with the class: retrieval lives off the site."""
    found = Simulated(0.0, 1.5, 3, tied=0.7).check()
    assert found.predictability.value > 0.9
    assert found.predictability.low > found.from_label.value
    assert found.with_same.value > 0.7
    assert found.without_same.value < 0.4
    assert found.fall == pytest.approx(found.with_same.value - found.without_same.value)
    assert 0.2 < found.low < found.fall < found.high
    assert found.with_same.queries == found.without_same.queries
    assert found.control is not None
    assert found.control.low > 0.1


def test_an_honest_system_loses_nothing_beyond_chance() -> None:
    found = Simulated(1.0, 0.0, 4).check()
    assert found.predictability.low <= found.predictability.chance <= found.predictability.high
    assert found.low <= 0.02
    assert abs(found.fall) < 0.1
    assert found.with_same.chance == pytest.approx(found.without_same.chance, abs=0.06)
    assert found.control is not None
    assert found.control.low <= 0 <= found.control.high


def test_a_site_that_goes_with_the_label_lowers_chance_and_is_told_from_the_label() -> None:
    found = Simulated(0.6, 0.0, 5, tied=0.9).check()
    assert found.predictability.low <= found.from_label.value
    assert found.from_label.value > found.predictability.chance + 0.2
    assert found.without_same.chance < found.with_same.chance - 0.1
    assert found.control is not None
    assert found.control.own == pytest.approx(found.control.shuffled.value - found.without_same.value)


def test_a_site_that_vectors_know_nothing_of_is_not_blamed() -> None:
    """No site effect: retrieval falls for want of slides of the label, in nearly every cohort; the control says so."""
    checks = [Simulated(0.6, 0.0, seed, tied=0.7).check() for seed in range(12)]
    assert sum(one.low > 0 for one in checks) >= 8
    assert sum(one.control is not None and one.control.low > 0 for one in checks) <= 2


def test_shuffled_values_keep_their_number_by_label_and_their_patients() -> None:
    slides = Simulated(0.0, 0.0, 8, tied=0.5)
    dealt = shuffle_values(slides.sites, slides.labels, slides.patients, 0)
    assert (dealt != slides.sites).any()
    assert (dealt[::2] == dealt[1::2]).all()
    before, after = (Counter(zip(slides.labels.tolist(), v.tolist(), strict=True)) for v in (slides.sites, dealt))
    assert before == after


def test_the_check_is_one_line() -> None:
    found = Simulated(0.5, 1.0, 6).check()
    assert f"predicted from the vectors with a balanced accuracy of {found.predictability.value:.2f}" in found.sentence
    assert f"chance {found.with_same.chance:.2f} and {found.without_same.chance:.2f}" in found.sentence
    assert f"over {found.with_same.queries} queries" in found.sentence
    assert found.control is not None
    assert f"of which {found.control.own:.2f}" in found.sentence
    assert "\n" not in found.sentence


def test_no_answers_left_and_no_site_to_tell_are_said() -> None:
    slides = Simulated(1.0, 0.0, 7)
    slides.sites = slides.labels
    slides.names = ["one"] * COUNT
    found = slides.check()
    assert found.with_same.queries == 0
    assert math.isnan(found.fall)
    assert "the vectors cannot be checked" in found.sentence
    assert "no query has a right answer left" in found.sentence
    assert "cannot be told here" in found.verdict


def naive_preference(found: Neighbours, sites: np.ndarray) -> float:
    shares = []
    for query, row in zip(found.queries, found.slides, strict=True):
        first = [slide for slide in row[:5].tolist() if slide != NOBODY]
        shares.append(np.mean([sites[slide] == sites[query] for slide in first]))
    return float(np.mean(shares))


def test_results_that_prefer_their_own_site_are_found_without_any_right_answer() -> None:
    """Vectors that know the site and nothing of the class: the accuracy has nothing to fall from."""
    slides = Simulated(0.0, 1.5, 9)
    parts = ranking(1.0 - slides.vectors @ slides.vectors.T, slides.labels, slides.patients)
    found = measure_preference(parts, slides.sites, slides.labels, slides.patients, 0)
    assert found.share == pytest.approx(naive_preference(parts, slides.sites))
    assert found.chance == pytest.approx(1 / SITES, abs=0.08)
    assert found.is_clear


def test_results_that_know_no_site_prefer_none() -> None:
    """One p in a hundred may be as small, whether the site goes with the label or not; ties lower no guard."""
    alarms = 0
    for seed in range(40):
        slides = Simulated(0.8, 0.0, seed, tied=0.7 * (seed % 2))
        parts = ranking(1.0 - slides.vectors @ slides.vectors.T, slides.labels, slides.patients)
        alarms += measure_preference(parts, slides.sites, slides.labels, slides.patients, seed).is_clear
    assert alarms <= 2


def test_queries_that_could_not_meet_their_own_site_are_not_compared() -> None:
    slides = Simulated(0.5, 1.0, 6)
    check = slides.check()
    scores = score(
        ranking(1.0 - slides.vectors @ slides.vectors.T, slides.labels, slides.patients),
        slides.labels,
        ["a", "b"],
        slides.patients,
    )
    told = check.predictability

    def compare(affected: np.ndarray) -> SiteCheck:
        return check_site("site", told, check.from_label, scores, scores, slides.patients, 0, is_affected=affected)

    nobody = compare(np.zeros(COUNT, np.bool_))
    assert nobody.with_same.queries == 0
    assert "no query may meet a slide of its own site" in nobody.sentence
    assert nobody.verdict == "the vectors know the site, but whether retrieval depends on it cannot be told here"
    few = compare(np.arange(COUNT) < 8)
    assert few.with_same.queries <= 8
    assert "only 4 patients have queries" in few.sentence
    assert "nan" not in few.sentence


def test_rankings_of_other_queries_are_refused() -> None:
    labels, owners = np.arange(20) % 2, np.arange(20)
    distances = np.random.default_rng(0).random((20, 20))
    all_, some = (
        score(ranking(distances, labels, owners, queries=queries), labels, ["a", "b"], owners)
        for queries in (range(20), range(10))
    )
    told = measure_predictability(distances.astype(np.float32), ["x", "y"] * 10, owners, 0)
    with pytest.raises(ConfigurationError, match="different queries"):
        check_site("site", told, told, all_, some, owners, 0)
