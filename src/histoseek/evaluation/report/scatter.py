"""The 2-d map of an archive as inline SVG, coloured by the values of one column."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from histoseek.evaluation.report.svg import (
    CHAR_PX,
    COLOURS,
    Axis,
    clip,
    draw_chart,
    draw_text,
    escape_xml,
    make_element,
    pick_colour,
)

NOT_KNOWN = "not known"
"""What slides without a value are called."""

SHAPES = ("circle", "triangle", "diamond")
"""Markers: after as many values as there are colours the next shape begins."""

GROUPS = COLOURS * len(SHAPES)
"""So many values have a colour and shape of their own; the rarest beyond that are grey."""

_WIDTH = 560.0
_SIDE = 360.0
_MARGIN = 14.0
_KEY_ROW = 18.0
_MOST_TITLES = 3000
"""Up to so many markers say their slide when pointed at; with more the page would grow too large."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Markers that look alike: what they are called, and the places in the list of points."""

    name: str
    points: tuple[int, ...]
    colour: str
    shape: str


def draw_map(
    column: str, slide_ids: Sequence[str], places: Sequence[tuple[float, float]], values: Sequence[str]
) -> str:
    """A marker for each slide; places: x and y; values: of the column, "" where not known."""
    groups = _group_values(values)
    group_of_place = {place: group for group in groups for place in group.points}
    x, y = _make_axes(places)
    markers = [
        _draw_point(group_of_place[i], slide_ids[i], (x(places[i][0]), y(places[i][1])), len(places))
        for i in _shuffle(len(places))
    ]
    frame = make_element("rect", x=1, y=1, width=_SIDE - 2, height=_SIDE - 2, class_="frame")
    keys = [_draw_key(number, group) for number, group in enumerate(groups)]
    height = max(_SIDE, _MARGIN + _KEY_ROW * len(groups))
    return draw_chart(f"Map of the archive, coloured by {column}", _WIDTH, height, frame, *markers, *keys)


def _group_values(values: Sequence[str]) -> list[_Group]:
    """Values in order of their names, then what is too rare for a colour of its own, then what is not known."""
    counts = Counter(value for value in values if value)
    common_values = sorted(sorted(counts, key=lambda value: (-counts[value], value))[:GROUPS], key=_make_sort_key)
    groups = [
        _Group(value, _find_places(values, {value}), pick_colour(number), SHAPES[number // COLOURS])
        for number, value in enumerate(common_values)
    ]
    others = counts.keys() - set(common_values)
    if others:
        groups.append(_Group(f"{len(others)} rarer values", _find_places(values, others), "var(--soft)", "circle"))
    unknown_places = _find_places(values, {""})
    return [*groups, _Group(NOT_KNOWN, unknown_places, "var(--line)", "circle")] if unknown_places else groups


def _make_sort_key(value: str) -> list[tuple[str, int]]:
    """Sorts numbers within texts by size: "grade 2" before "grade 10"."""
    return [(text.casefold(), int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]*)", value)]


def _find_places(values: Sequence[str], names: set[str]) -> tuple[int, ...]:
    return tuple(place for place, value in enumerate(values) if value in names)


def _make_axes(places: Sequence[tuple[float, float]]) -> tuple[Axis, Axis]:
    """Scales that keep the map's proportions and put its middle into the middle."""
    across, up = [x for x, _ in places] or [0.0], [y for _, y in places] or [0.0]
    half = max(max(across) - min(across), max(up) - min(up)) / 2 or 1.0
    x, y = (max(across) + min(across)) / 2, (max(up) + min(up)) / 2
    return (
        Axis(x - half, x + half, _MARGIN, _SIDE - _MARGIN),
        Axis(y - half, y + half, _SIDE - _MARGIN, _MARGIN),
    )


def _shuffle(count: int) -> list[int]:
    """Numbers below count in an order that is always the same but of no meaning, so that no group hides another."""
    order = list(range(count))
    random.Random(count).shuffle(order)
    return order


def _draw_point(group: _Group, slide_id: str, position: tuple[float, float], count: int) -> str:
    """One of `count` markers: the more there are, the smaller they are."""
    radius = 5.0 if count <= 200 else 3.5 if count <= 2000 else 2.2
    hover = [make_element("title", escape_xml(f"{slide_id}: {group.name}"))] if count <= _MOST_TITLES else []
    return _draw_marker(group.shape, *position, radius, *hover, fill=group.colour)


def _draw_marker(shape: str, x: float, y: float, radius: float, *hover: str, fill: str) -> str:
    if shape == "circle":
        return make_element("circle", *hover, cx=x, cy=y, r=radius, class_="mark", fill=fill)
    r = radius * 1.25
    outline = {
        "triangle": f"M{x:.1f} {y - r:.1f}l{r:.1f} {1.8 * r:.1f}h{-2 * r:.1f}z",
        "diamond": f"M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}l{-r:.1f} {r:.1f}l{-r:.1f} {-r:.1f}z",
    }[shape]
    return make_element("path", *hover, d=outline, class_="mark", fill=fill)


def _draw_key(number: int, group: _Group) -> str:
    x, y = _SIDE + 16, _MARGIN + _KEY_ROW * number
    count = f" ({len(group.points)})"
    name = clip(group.name, int((_WIDTH - x - 14) / CHAR_PX) - len(count)) + count
    sample = _draw_marker(group.shape, x, y, 5, fill=group.colour)
    return make_element(
        "g", make_element("title", escape_xml(group.name + count)), sample, draw_text(name, x + 14, y + 4)
    )
