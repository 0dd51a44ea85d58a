"""The 2-d map of an archive as inline SVG, coloured by the values of one column."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from histoseek.evaluation.report.svg import CHAR_PX, COLOURS, Axis, chart, clean, clip, colour, element, label

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
_TITLED = 3000
"""Up to so many markers say their slide when pointed at; with more the page would grow too large."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Markers that look alike: what they are called, and the places in the list of points."""

    name: str
    points: tuple[int, ...]
    colour: str
    shape: str


def map_chart(
    column: str, slide_ids: Sequence[str], places: Sequence[tuple[float, float]], values: Sequence[str]
) -> str:
    """A marker for each slide; places: x and y; values: of the column, "" where not known."""
    groups = _groups(values)
    of = {place: group for group in groups for place in group.points}
    x, y = _axes(places)
    drawn = [_point(of[i], slide_ids[i], (x(places[i][0]), y(places[i][1])), len(places)) for i in _mixed(len(places))]
    frame = element("rect", x=1, y=1, width=_SIDE - 2, height=_SIDE - 2, class_="frame")
    keys = [_key(number, group) for number, group in enumerate(groups)]
    height = max(_SIDE, _MARGIN + _KEY_ROW * len(groups))
    return chart(f"Map of the archive, coloured by {column}", _WIDTH, height, frame, *drawn, *keys)


def _groups(values: Sequence[str]) -> list[_Group]:
    """Values in order of their names, then what is too rare for a colour of its own, then what is not known."""
    counts = Counter(value for value in values if value)
    kept = sorted(sorted(counts, key=lambda value: (-counts[value], value))[:GROUPS], key=_natural)
    groups = [
        _Group(value, _where(values, {value}), colour(number), SHAPES[number // COLOURS])
        for number, value in enumerate(kept)
    ]
    others = counts.keys() - set(kept)
    if others:
        groups.append(_Group(f"{len(others)} rarer values", _where(values, others), "var(--soft)", "circle"))
    unknown = _where(values, {""})
    return [*groups, _Group(NOT_KNOWN, unknown, "var(--line)", "circle")] if unknown else groups


def _natural(value: str) -> list[tuple[str, int]]:
    """Sorts numbers within texts by size: "grade 2" before "grade 10"."""
    return [(text.casefold(), int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]*)", value)]


def _where(values: Sequence[str], wanted: set[str]) -> tuple[int, ...]:
    return tuple(place for place, value in enumerate(values) if value in wanted)


def _axes(places: Sequence[tuple[float, float]]) -> tuple[Axis, Axis]:
    """Scales that keep the map's proportions and put its middle into the middle."""
    across, up = [x for x, _ in places] or [0.0], [y for _, y in places] or [0.0]
    half = max(max(across) - min(across), max(up) - min(up)) / 2 or 1.0
    x, y = (max(across) + min(across)) / 2, (max(up) + min(up)) / 2
    return (
        Axis(x - half, x + half, _MARGIN, _SIDE - _MARGIN),
        Axis(y - half, y + half, _SIDE - _MARGIN, _MARGIN),
    )


def _mixed(count: int) -> list[int]:
    """Numbers below count in an order that is always the same but of no meaning, so that no group hides another."""
    order = list(range(count))
    random.Random(count).shuffle(order)
    return order


def _point(group: _Group, slide_id: str, at: tuple[float, float], count: int) -> str:
    """One of `count` markers: the more there are, the smaller they are."""
    radius = 5.0 if count <= 200 else 3.5 if count <= 2000 else 2.2
    hover = [element("title", clean(f"{slide_id}: {group.name}"))] if count <= _TITLED else []
    return _marker(group.shape, *at, radius, *hover, fill=group.colour)


def _marker(shape: str, x: float, y: float, radius: float, *hover: str, fill: str) -> str:
    if shape == "circle":
        return element("circle", *hover, cx=x, cy=y, r=radius, class_="mark", fill=fill)
    r = radius * 1.25
    outline = {
        "triangle": f"M{x:.1f} {y - r:.1f}l{r:.1f} {1.8 * r:.1f}h{-2 * r:.1f}z",
        "diamond": f"M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}l{-r:.1f} {r:.1f}l{-r:.1f} {-r:.1f}z",
    }[shape]
    return element("path", *hover, d=outline, class_="mark", fill=fill)


def _key(number: int, group: _Group) -> str:
    x, y = _SIDE + 16, _MARGIN + _KEY_ROW * number
    count = f" ({len(group.points)})"
    name = clip(group.name, int((_WIDTH - x - 14) / CHAR_PX) - len(count)) + count
    sample = _marker(group.shape, x, y, 5, fill=group.colour)
    return element("g", element("title", clean(group.name + count)), sample, label(name, x + 14, y + 4))
