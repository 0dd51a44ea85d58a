"""The 2-d map of an archive as inline SVG, coloured by the values of one column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from histoseek.evaluation.svg import CHAR_PX, COLOURS, Axis, chart, clean, colour, element, short_label

NOT_KNOWN = "not known"
"""What slides without a value are called."""

SHAPES = ("circle", "triangle", "diamond")
"""Markers: after as many values as there are colours the next shape begins."""

GROUPS = COLOURS * len(SHAPES)
"""So many values have a colour and shape of their own; the rarest beyond that are grey."""

_WIDTH = 560.0
_SIDE = 380.0
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
    x, y = _axes(places)
    radius = 5.0 if len(places) <= 200 else 3.5 if len(places) <= 2000 else 2.2
    drawn = [
        element("g", *(_point(group, i, slide_ids, places[i], (x, y), radius) for i in group.points), fill=group.colour)
        for group in sorted(groups, key=lambda group: -len(group.points))
    ]
    frame = element("rect", x=1, y=1, width=_SIDE - 2, height=_SIDE - 2, class_="frame")
    keys = [_key(number, group) for number, group in enumerate(groups)]
    height = max(_SIDE, _MARGIN + _KEY_ROW * len(groups))
    return chart(f"Map of the archive, coloured by {column}", _WIDTH, height, frame, *drawn, *keys)


def _groups(values: Sequence[str]) -> list[_Group]:
    """Values in order of their names, then what is too rare for a colour of its own, then what is not known."""
    counts = Counter(value for value in values if value)
    kept = sorted(sorted(counts, key=lambda value: (-counts[value], value))[:GROUPS])
    groups = [
        _Group(value, _where(values, {value}), colour(number), SHAPES[number // COLOURS])
        for number, value in enumerate(kept)
    ]
    others = counts.keys() - set(kept)
    if others:
        groups.append(_Group(f"{len(others)} rarer values", _where(values, others), "var(--soft)", "circle"))
    unknown = _where(values, {""})
    return [*groups, _Group(NOT_KNOWN, unknown, "var(--line)", "circle")] if unknown else groups


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


def _point(
    group: _Group,
    number: int,
    slide_ids: Sequence[str],
    place: tuple[float, float],
    axes: tuple[Axis, Axis],
    radius: float,
) -> str:
    hover = element("title", clean(f"{slide_ids[number]}: {group.name}")) if len(slide_ids) <= _TITLED else ""
    return _marker(group.shape, axes[0](place[0]), axes[1](place[1]), radius, hover)


def _marker(shape: str, x: float, y: float, radius: float, hover: str = "", **attributes: str) -> str:
    if shape == "circle":
        return element("circle", hover, cx=x, cy=y, r=radius, class_="mark", **attributes)
    r = radius * 1.25
    outline = {
        "triangle": f"M{x:.1f} {y - r:.1f}l{r:.1f} {1.8 * r:.1f}h{-2 * r:.1f}z",
        "diamond": f"M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}l{-r:.1f} {r:.1f}l{-r:.1f} {-r:.1f}z",
    }[shape]
    return element("path", hover, d=outline, class_="mark", **attributes)


def _key(number: int, group: _Group) -> str:
    x, y = _SIDE + 16, _MARGIN + _KEY_ROW * number
    count = f" ({len(group.points)})"
    name = short_label(group.name, int((_WIDTH - x - 14) / CHAR_PX) - len(count), x + 14, y + 4)
    return _marker(group.shape, x, y, 5, fill=group.colour) + name.replace("</text>", f"{count}</text>")
