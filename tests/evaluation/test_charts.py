"""Charts: as many marks as data, where the data says, and readable as XML whatever the names."""

from __future__ import annotations

import itertools
import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.evaluation.report.charts import (
    Estimate,
    Series,
    draw_bar_chart,
    draw_cmc_chart,
    draw_confusion_chart,
    draw_dot_chart,
    draw_risk_coverage_chart,
)
from histoseek.evaluation.report.scatter import GROUPS, draw_map
from histoseek.evaluation.report.svg import COLOURS, DASH, Axis, choose_share_bounds, choose_step, clip

NAN = float("nan")
HOSTILE = "</svg><script>alert(\"'&\x00\ud800')</script>"

ROWS = (
    Estimate("a", 0.8, 0.7, 0.9, 0.2),
    Estimate("b", 0.4, 0.1, 0.5, 0.3),
    Estimate("alone", 0.6, NAN, NAN, NAN),
    Estimate("unknown", NAN, NAN, NAN, NAN),
)


def parsed(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def all_of(chart: ElementTree.Element, tag: str, kind: str | None = None) -> list[ElementTree.Element]:
    found = chart.iter(f"{{http://www.w3.org/2000/svg}}{tag}")
    return [each for each in found if kind is None or kind in each.get("class", "").split()]


def texts(chart: ElementTree.Element) -> list[str]:
    return ["".join(each.itertext()) for each in all_of(chart, "text")]


def points(line: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = (pair.split(",") for pair in str(line.get("points")).split())
    return [(float(x), float(y)) for x, y in pairs]


def number(mark: ElementTree.Element, name: str) -> float:
    return float(str(mark.get(name)))


def test_cumulative_match_curves_rise_to_the_right() -> None:
    chart = parsed(draw_cmc_chart([("one", (0.2, 0.5, 0.5, 1.0)), ("two", (0.1, 0.3, 0.4, 0.9))]))
    one, two = (points(line) for line in all_of(chart, "polyline"))
    assert len(one) == len(two) == 4
    steps = [b[0] - a[0] for a, b in itertools.pairwise(one)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.11)
    assert steps[0] > 0
    assert one[0][1] > one[1][1] == one[2][1] > one[3][1]
    assert all(upper[1] < lower[1] for upper, lower in zip(one, two, strict=True))
    rise = (one[0][1] - one[1][1]) / (one[0][1] - one[3][1])
    assert rise == pytest.approx(0.3 / 0.8, abs=0.01)
    assert {"one", "two", "k"} <= set(texts(chart))


def test_more_systems_than_colours_can_be_told_apart() -> None:
    chart = parsed(draw_cmc_chart([(str(i), (0.1, 0.2)) for i in range(2 * COLOURS)]))
    looks = [(line.get("stroke"), line.get("stroke-dasharray")) for line in all_of(chart, "polyline")]
    assert len(set(looks)) == 2 * COLOURS


def test_long_curves_are_thinned_but_keep_their_ends() -> None:
    x = tuple(i / 5000 for i in range(1, 5001))
    chart = parsed(draw_risk_coverage_chart([Series("s", x, tuple(v / 2 for v in x)), Series("none", (), ())]))
    long, none = (points(line) for line in all_of(chart, "polyline"))
    assert len(long) <= 201
    assert long[0][0] < long[-1][0]
    full = parsed(draw_risk_coverage_chart([Series("s", (x[0], 0.5, 1.0), (0.0, 0.2, 0.5))]))
    assert long[-1] == points(all_of(full, "polyline")[0])[-1]
    assert none == []


def test_undefined_points_of_a_curve_are_left_out() -> None:
    chart = parsed(draw_risk_coverage_chart([Series("s", (0.1, 0.5, 1.0), (NAN, 0.2, 0.5))]))
    assert len(points(all_of(chart, "polyline")[0])) == 2


def test_bars_are_as_long_as_their_values() -> None:
    chart = parsed(draw_bar_chart("by class", ROWS))
    bars = all_of(chart, "rect", "bar")
    assert len(bars) == 3
    widths = [number(bar, "width") for bar in bars]
    assert [width / widths[0] for width in widths] == pytest.approx([1, 0.5, 0.75], abs=0.001)
    assert [number(bar, "y") for bar in bars] == sorted(number(bar, "y") for bar in bars)
    assert len(all_of(chart, "path", "interval")) == len(all_of(chart, "line", "chance")) == 2
    start, scale = number(bars[0], "x"), widths[0] / 0.8
    assert [(number(tick, "x1") - start) / scale for tick in all_of(chart, "line", "chance")] == pytest.approx(
        [0.2, 0.3], abs=0.001
    )
    assert DASH in texts(chart)
    assert "0.800" in texts(chart)


def test_dots_lie_within_their_intervals() -> None:
    chart = parsed(draw_dot_chart("mMV@5", ROWS))
    dots = [number(dot, "cx") for dot in all_of(chart, "circle", "dot")]
    assert len(dots) == 3
    assert dots[1] < dots[2] < dots[0]
    assert (dots[2] - dots[1]) / (dots[0] - dots[1]) == pytest.approx(0.5, abs=0.01)
    for dot, whisker in zip(dots, all_of(chart, "path", "interval"), strict=False):
        low, high = (float(x) for x in re.findall(r"M([\d.]+) ", str(whisker.get("d")))[::2])
        assert low < dot < high


def test_a_confusion_shows_every_count() -> None:
    counts = [[8, 2, 0], [1, 3, 0], [0, 0, 0]]
    chart = parsed(draw_confusion_chart(("x", "y", "z"), ("x", "y", "z"), counts))
    cells = all_of(chart, "rect", "heat")
    assert len(cells) == 9
    assert [text for text in texts(chart) if text.isdigit()] == ["8", "2", "1", "3"]
    shares = [number(cell, "fill-opacity") / 0.7 for cell in cells]
    assert shares == pytest.approx([0.8, 0.2, 0, 0.25, 0.75, 0, 0, 0, 0], abs=0.01)
    corners = [(number(cell, "y"), number(cell, "x")) for cell in cells]
    assert corners == sorted(corners)
    assert len(all_of(chart, "rect", "right")) == 3
    assert "x, voted y: 2 of 10 (20 %)" in [title.text for title in all_of(chart, "title")]


def test_a_map_has_a_marker_for_each_slide_where_it_belongs() -> None:
    places = [(0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (1.0, 1.0)]
    chart = parsed(draw_map("organ", ["a", "b", "c", "d"], places, ["lung", "lung", "colon", ""]))
    marks = {str(mark[0].text).split(":")[0]: mark for mark in all_of(chart, "circle", "mark") if len(mark)}
    x, y = ({name: number(mark, side) for name, mark in marks.items()} for side in ("cx", "cy"))
    assert set(marks) == {"a", "b", "c", "d"}
    assert x["a"] < x["d"] < x["b"] == x["c"]
    assert y["c"] < y["d"] < y["a"] == y["b"]
    assert x["b"] - x["a"] == pytest.approx(2 * (y["b"] - y["c"]), abs=0.1)
    assert marks["a"].get("fill") == marks["b"].get("fill") != marks["c"].get("fill")
    assert [text for text in texts(chart) if "(" in text] == ["colon (1)", "lung (2)", "not known (1)"]


def test_a_map_of_many_values_keeps_them_apart() -> None:
    values = [f"grade {i}" for i in range(GROUPS + 3)]
    many = [*values[:GROUPS], *values]
    places = [(float(i), float(i % 5)) for i in range(len(many))]
    chart = parsed(draw_map("grade", [f"s{i}" for i in range(len(many))], places, many))
    marks = [mark for tag in ("circle", "path") for mark in all_of(chart, tag, "mark") if len(mark)]
    assert len(marks) == len(many)
    looks = {(mark.tag, mark.get("fill"), re.sub(r"[\d.]+", "", str(mark.get("d")))) for mark in marks}
    assert len(looks) == GROUPS + 1
    keys = [text for text in texts(chart) if "(" in text]
    assert keys[:3] == ["grade 0 (2)", "grade 1 (2)", "grade 2 (2)"]
    assert keys[10] == "grade 10 (2)"
    assert keys[-1] == "3 rarer values (3)"


def test_a_map_of_one_slide_or_none_is_drawn() -> None:
    assert len(all_of(parsed(draw_map("organ", ["a"], [(3.0, 3.0)], ["lung"])), "circle", "mark")) == 2
    assert not all_of(parsed(draw_map("organ", [], [], [])), "circle", "mark")


def test_names_can_not_break_out_of_a_chart() -> None:
    rows = [Estimate(HOSTILE, 0.5, 0.4, 0.6, 0.1)]
    charts = (
        draw_cmc_chart([(HOSTILE, (0.1, 0.2))]),
        draw_risk_coverage_chart([Series(HOSTILE, (0.5, 1.0), (0.1, 0.2))]),
        draw_bar_chart(HOSTILE, rows),
        draw_dot_chart(HOSTILE, rows),
        draw_confusion_chart([HOSTILE], [HOSTILE], [[3]]),
        draw_map(HOSTILE, [HOSTILE], [(0.0, 0.0)], [HOSTILE]),
    )
    for chart in charts:
        assert "<script" not in chart
        assert "</svg><script>alert(\"'&" in "".join(parsed(chart).itertext())
        assert {each.tag.split("}")[1] for each in parsed(chart).iter()} <= {
            *("svg", "title", "g", "text", "line", "rect", "path", "circle", "polyline"),
        }


@given(st.floats(-100, 100), st.floats(0.01, 1e4))
def test_ticks_lie_on_the_axis_at_even_steps(start: float, span: float) -> None:
    axis = Axis(start, start + span, 0, 100)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 7
    assert all(axis.start - 1e-3 * span <= tick <= axis.end + 1e-3 * span for tick in ticks)
    gaps = [b - a for a, b in itertools.pairwise(ticks)]
    assert gaps == pytest.approx([choose_step((axis.end - axis.start) / 5)] * len(gaps), rel=1e-3)


@given(st.floats(0, 1), st.floats(0, 1))
def test_bounds_hold_what_they_are_for(one: float, other: float) -> None:
    low, high = choose_share_bounds(min(one, other), max(one, other))
    assert 0 <= low <= min(one, other)
    assert max(one, other) <= high <= 1
    assert low < high


def test_steps_are_round() -> None:
    assert [choose_step(rough) for rough in (0.2, 0.21, 3, 51, 0, -1)] == pytest.approx([0.2, 0.5, 5, 100, 1, 1])
    assert not math.isnan(choose_step(1e-12))


def test_long_names_are_cut() -> None:
    assert clip("adenocarcinoma", 6) == "adeno\N{HORIZONTAL ELLIPSIS}"
    assert clip("lung", 6) == "lung"
