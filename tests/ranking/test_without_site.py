"""Vectors that are freed of a site: what classifiers still find of it, what stays, and who belongs to which group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.ranking.column_erasure import find_column_fault, fit_erasure
from histoseek.ranking.fit_metric import MetricSample, fit_metric
from histoseek.ranking.group_centring import PRIOR_OWNERS, fit_group_offsets, measure_reach
from histoseek.ranking.metric import IDENTITY, NO_GROUP, Metric, find_nearest_groups
from histoseek.ranking.settings import RankingSettings

FEW = settings(max_examples=10, deadline=None)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def draw(seed, count=60, dimension=24, sites=3, shift=1.0):
    rng = np.random.default_rng(seed)
    labels, places = np.arange(count) % 2, np.arange(count) // 2 % sites
    rows = rng.standard_normal((count, dimension)) + 2 * rng.standard_normal((2, dimension))[labels]
    return unit(rows + shift * 2 * rng.standard_normal((sites, dimension))[places]), labels, places


def erase(linear_map, rows):
    return rows + (rows @ linear_map.inward.T) @ linear_map.outward


def fit_logistic(rows, targets):
    """The mean loss of a logistic classifier by plain gradient steps, and that of none."""
    design = np.c_[np.ones(len(rows)), rows - rows.mean(0)]
    slopes = np.zeros(design.shape[1])
    slopes[0] = np.log(targets.mean() / (1 - targets.mean()))

    def loss():
        score = design @ slopes
        return np.mean(np.logaddexp(0, score) - targets * score)

    constant = loss()
    for _ in range(300):
        slopes -= 2 * design.T @ (1 / (1 + np.exp(-design @ slopes)) - targets) / len(rows)
    return loss(), constant


@FEW
@given(st.integers(0, 99), st.sampled_from([8, 24, 90]))
def test_no_linear_classifier_finds_what_was_erased(seed, dimension):
    rows, _, places = draw(seed, dimension=dimension)

    freed = erase(fit_erasure(rows, places, np.arange(60)), rows).astype(np.float64)

    for place in range(3):
        targets = (places == place) * 1.0
        before, constant = fit_logistic(rows.astype(np.float64), targets)
        after, _ = fit_logistic(freed, targets)
        assert before < constant - 0.02
        assert after == pytest.approx(constant, abs=1e-5)
        slopes = np.linalg.lstsq(np.c_[freed - freed.mean(0)], targets - targets.mean(), rcond=1e-4)[0]
        assert np.abs((freed - freed.mean(0)) @ slopes).max() < 1e-2


def test_what_labels_tell_of_a_site_stays_where_they_are_given():
    rng = np.random.default_rng(2)
    labels = np.arange(120) % 2
    places = np.where(rng.random(120) < 0.8, labels, 1 - labels)
    towards = np.eye(16)[:2]
    rows = unit(
        towards[0] * (labels[:, None] - 0.5)
        + towards[1] * (places[:, None] - 0.5)
        + 0.1 * rng.standard_normal((120, 16))
    )

    def gap(freed):
        return (freed[labels == 1].mean(0) - freed[labels == 0].mean(0)) @ towards[0]

    def covary_within_labels(freed):
        means = [np.array([part[labels == k].mean(0) for k in (0, 1)])[labels] for part in (freed, places)]
        return np.abs((freed - means[0]).T @ (places - means[1])).max()

    blind = erase(fit_erasure(rows, places, np.arange(120)), rows)
    aware = erase(fit_erasure(rows, places, np.arange(120), labels), rows)

    assert gap(aware) > 0.9 * gap(rows) > gap(blind) + 0.1
    assert covary_within_labels(aware) < 1e-4 * covary_within_labels(rows)


def test_sites_that_are_labels_are_left_alone_and_named():
    rows, labels, _ = draw(1)
    owners = np.arange(60)
    assert fit_erasure(rows, labels, owners, labels) == IDENTITY
    assert np.abs(fit_group_offsets(rows, labels, owners, 2, labels)).max() < 1e-5

    names = ["ab"[label] for label in labels]
    fault = find_column_fault([f"site {name}" for name in names], owners.tolist(), names)
    assert fault == "each label has one value, so that what is of the one and what of the other cannot be told apart"
    assert find_column_fault(names, owners.tolist()) is None


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ([None, ""] * 10, "no slide has a value"),
        (["x"] * 20, "all slides have the same value"),
        (["x"] * 16 + ["y"] * 4, "1 of 2 values is of 5 patients"),
        (["x", "y"] * 10, None),
        (["x"] * 10 + ["y", "z"] * 5, None),
        (list("abcdefghijklmnopqrst"), "none of 20 values are of 5 patients"),
    ],
)
def test_columns_that_cannot_be_erased_are_named(values, fault):
    assert find_column_fault(values, list(range(20))) == fault


def test_rare_values_cost_no_direction_each():
    rows, _, places = draw(3, sites=2)
    rare = np.where(np.arange(60) < 4, 10 + np.arange(60), places)

    assert len(fit_erasure(rows, rare, np.arange(60)).inward) == 2
    assert fit_erasure(rows[:0], rare[:0], rare[:0]) == IDENTITY


def test_offsets_are_what_a_naive_regression_gives():
    rows, labels, places = draw(4, count=30)
    places = places.copy()
    places[-3:] = NO_GROUP
    owners = np.r_[0, 0, 0, np.arange(27)]

    found = fit_group_offsets(rows, places, owners, 3, labels)

    known = [i for i in range(30) if places[i] != NO_GROUP]
    same = [sum((owners[i], labels[i], places[i]) == (owners[j], labels[j], places[j]) for j in known) for i in known]
    design = np.array([[*(labels[i] == np.arange(2)), *(places[i] == np.arange(3))] for i in known], float)
    roots = np.sqrt(1 / np.array(same))[:, None]
    padded = np.r_[design * roots, np.sqrt(PRIOR_OWNERS) * np.eye(5)[2:]]
    expected = np.linalg.lstsq(padded, np.r_[rows[known] * roots, np.zeros((3, 24))], rcond=None)[0][2:]
    assert np.allclose(found, expected, atol=1e-4)


def test_a_group_of_one_slide_is_moved_a_third():
    rows = np.zeros((21, 4), np.float32)
    rows[:20, 0], rows[20, 1] = 1, 1
    places = np.r_[np.zeros(20, int), 1]

    offsets = fit_group_offsets(rows, places, np.arange(21), 2)

    assert 0.2 < offsets[1, 1] < 0.34
    assert measure_reach(rows, places, np.arange(21), 2).radii.tolist() == [0, 0]


def test_a_slide_belongs_to_its_column_else_to_the_nearest_group_else_to_none():
    rows, _, places = draw(5, sites=2, shift=2.0)
    reach = measure_reach(rows, places, np.arange(60), 2)
    metric = Metric(column="site", groups=("first", "second"), centres=reach.centres, radii=reach.radii)

    named = metric.find_groups(["second", "first", "elsewhere"], rows[:3])
    assert named.tolist() == [1, 0, NO_GROUP]
    found = metric.find_groups([None, ""] * 30, rows)
    assert np.mean(found == places) > 0.85
    assert set(found[found != places].tolist()) <= {NO_GROUP}
    strangers = unit(np.random.default_rng(6).standard_normal((40, 24)))
    assert np.mean(metric.find_groups([None] * 40, strangers) == NO_GROUP) > 0.8
    assert metric.find_groups([], rows[:0]).tolist() == []


def test_the_nearest_group_is_that_of_the_site_not_of_the_diagnosis():
    rng = np.random.default_rng(9)
    labels = np.arange(80) % 2
    places = np.where(rng.random(80) < 0.8, labels, 1 - labels)
    rows = unit(
        rng.standard_normal((80, 24))
        + 5 * rng.standard_normal((2, 24))[labels]
        + 2.5 * rng.standard_normal((2, 24))[places]
    )
    reach = measure_reach(rows, places, np.arange(80), 2)
    offsets = fit_group_offsets(rows, places, np.arange(80), 2, labels)

    by_all, by_offsets = (
        np.mean(find_nearest_groups(rows, reach.centres, np.full(2, 9, np.float32), given_) == places)
        for given_ in (None, offsets)
    )

    assert by_offsets > by_all + 0.1


def test_a_metric_is_centred_freed_and_learned_in_this_order():
    rows, labels, places = draw(7, shift=2.0)
    names = [("north", "south", None)[place] for place in places]
    slides = MetricSample(rows, 0.7 * rows, labels, np.arange(60), names, names)

    metric = fit_metric(RankingSettings(shrinkage=0.8, label_strength=1.0, erased="site", centred="site"), slides)
    plain = fit_metric(RankingSettings(), slides)

    assert plain.global_map is plain.mosaic_map
    assert plain.global_map == IDENTITY
    assert metric.groups == ("north", "south")
    assert np.array_equal(metric.global_map.inward, metric.mosaic_map.inward)
    assert np.allclose(metric.mosaic_map.offsets, 0.7 * metric.global_map.offsets, atol=1e-5)
    mapped = metric.global_map(rows, metric.find_groups(names, rows))
    assert np.isfinite(mapped).all()
    same = mapped @ mapped.T
    other_site = (places[:, None] != places) & (labels[:, None] == labels)
    other_label = (places[:, None] == places) & (labels[:, None] != labels)
    assert same[other_site].mean() > same[other_label].mean() + 0.2
    assert (rows @ rows.T)[other_site].mean() < (rows @ rows.T)[other_label].mean()


@pytest.mark.parametrize("values", [["x"] * 6, [None] * 6, list("uvwxyz")])
def test_degenerate_slides_give_finite_metrics(values):
    everything = RankingSettings(shrinkage=0.5, label_strength=1.0, erased="site", centred="site")
    for rows in (np.zeros((6, 5), np.float32), np.tile(np.eye(5, dtype=np.float32)[:1], (6, 1))):
        for labels in (np.zeros(6, np.int64), np.arange(6) % 2, np.arange(6)):
            slides = MetricSample(rows, rows[:, :4], labels, np.zeros(6, np.int64), values, values)
            metric = fit_metric(everything, slides)
            for linear_map, given_rows in ((metric.global_map, rows), (metric.mosaic_map, rows[:, :4])):
                assert np.isfinite(linear_map(given_rows, metric.find_groups(values, rows))).all()
