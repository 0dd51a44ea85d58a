"""Points, lines and areas on a slide: checked, measured, and as GeoJSON's coordinates. Positions are level-0 px."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from histoseek.errors import InputError
from histoseek.geometry import Size, UmPerPx

ShapeKind = Literal["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]
"""The geometries of GeoJSON (RFC 7946), but for collections of several kinds."""

Position = tuple[float, float]
Path = tuple[Position, ...]
Part = tuple[Path, ...]
"""A point or a line: one path. An area: its outline, then the outlines of its holes."""

MAX_VERTICES = 10_000
"""Of one shape."""

_DECIMALS = 2
_DEPTHS: Final[dict[ShapeKind, int]] = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
"""How many lists lie around a position."""

_FEWEST = {"Point": 1, "LineString": 2, "Polygon": 4}


@dataclass(frozen=True, slots=True)
class Shape:
    """Points, lines or areas; `Multi` kinds have any number of parts, the others one. Outlines end where they begin."""

    kind: ShapeKind
    parts: tuple[Part, ...]

    @property
    def vertex_count(self) -> int:
        """How many positions it has."""
        return sum(len(path) for part in self.parts for path in part)

    @property
    def is_area(self) -> bool:
        """Whether it encloses something."""
        return self.kind.endswith("Polygon")

    @property
    def is_line(self) -> bool:
        """Whether it has a length and encloses nothing."""
        return self.kind.endswith("LineString")

    def list_positions(self) -> Iterator[Position]:
        """All positions in their order."""
        return (position for part in self.parts for path in part for position in path)


@dataclass(frozen=True, slots=True)
class Measures:
    """Length of lines in um; area in um2 and length of all outlines in um of areas. None for what a kind has not."""

    length_um: float | None = None
    area_um2: float | None = None
    perimeter_um: float | None = None


def parse_shape(kind: object, coordinates: object, where: str) -> Shape:
    """A shape from GeoJSON's type and coordinates, rounded to a hundredth of a px; where: what errors name.

    Raises InputError for unknown kinds, numbers that are none, too many vertices, lines without length, outlines that
    are not closed, and areas without an inside.
    """
    known = next((name for name in get_args(ShapeKind) if name == kind), None)
    if known is None:
        raise InputError(where, "its geometry is not of a known type", f"The types are {', '.join(_DEPTHS)}")
    nested = _parse_positions(coordinates, _DEPTHS[known], where, _Budget())
    shape = Shape(known, _to_parts(known, nested))
    _check_parts(shape, where)
    return shape


def make_coordinates(shape: Shape) -> list[object]:
    """The coordinates as GeoJSON nests them."""
    base = shape.kind.removeprefix("Multi")
    parts: list[object] = []
    for part in shape.parts:
        paths: list[object] = [[list(position) for position in path] for path in part]
        if base == "Point":
            parts.append(list(part[0][0]))
        else:
            parts.append(paths[0] if base == "LineString" else paths)
    if shape.kind != base:
        return parts
    single = parts[0]
    return single if isinstance(single, list) else []


def check_inside(shape: Shape, size: Size, where: str) -> None:
    """Raise InputError where a position lies outside of a slide of this size in level-0 px; its edges belong to it."""
    for x, y in shape.list_positions():
        if not (0 <= x <= size.width and 0 <= y <= size.height):
            what = f"({x:g}, {y:g}) lies outside of the slide, which has {size.width} x {size.height} px"
            raise InputError(where, what, "Give positions in px of the full resolution, from the top left")


def measure_shape(shape: Shape, spacing: UmPerPx) -> Measures:
    """Lengths and areas on the tissue. Where an outline crosses itself, what it runs around twice counts twice, and
    what it runs around the other way is taken off."""
    if shape.is_area:
        holes = sum(_measure_area(path) for part in shape.parts for path in part[1:])
        outlines = sum(_measure_area(part[0]) for part in shape.parts)
        perimeter = sum(_measure_length(path) for part in shape.parts for path in part)
        return Measures(None, (outlines - holes) * spacing**2, perimeter * spacing)
    if shape.is_line:
        return Measures(sum(_measure_length(path) for part in shape.parts for path in part) * spacing)
    return Measures()


class _Budget:
    """Counts positions as they are read, so that a list of millions is refused early."""

    def __init__(self) -> None:
        self.left = MAX_VERTICES


def _parse_positions(value: object, depth: int, where: str, budget: _Budget) -> tuple[object, ...]:
    if depth == 0:
        budget.left -= 1
        return _parse_position(value, where, budget)
    if not isinstance(value, list | tuple) or not value:
        raise InputError(where, "its coordinates are not nested as its type needs", "Export it as GeoJSON again")
    return tuple(_parse_positions(item, depth - 1, where, budget) for item in value)


def _parse_position(value: object, where: str, budget: _Budget) -> Position:
    if budget.left < 0:
        raise InputError(where, f"it has more than {MAX_VERTICES} vertices", "Simplify it")
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= 3:
        raise InputError(where, "a position is not two numbers", "Export it as GeoJSON again")
    x, y = value[0], value[1]
    if isinstance(x, bool) or isinstance(y, bool) or not isinstance(x, int | float) or not isinstance(y, int | float):
        raise InputError(where, "a position is not two numbers", "Export it as GeoJSON again")
    if not (abs(x) < 1e9 and abs(y) < 1e9):
        raise InputError(where, "a position is not on any slide", "Give positions in px of the full resolution")
    return round(float(x), _DECIMALS), round(float(y), _DECIMALS)


def _to_parts(kind: ShapeKind, nested: tuple[object, ...]) -> tuple[Part, ...]:
    """The same positions as parts of paths, whatever lists a kind leaves out."""
    levels: Sequence[object] = nested if kind.startswith("Multi") else (nested,)
    base = kind.removeprefix("Multi")
    if base == "Point":
        return tuple(((position,),) for position in levels)  # type: ignore[misc]
    if base == "LineString":
        return tuple((path,) for path in levels)  # type: ignore[misc]
    return tuple(levels)  # type: ignore[arg-type]


def _check_parts(shape: Shape, where: str) -> None:
    base = shape.kind.removeprefix("Multi")
    for path in (path for part in shape.parts for path in part):
        if len(path) < _FEWEST[base]:
            raise InputError(where, f"a {base} needs at least {_FEWEST[base]} positions", "Draw it again")
        if base == "LineString" and not _measure_length(path):
            raise InputError(where, "it is a line without length", "Draw it again, or make it a point")
        if base == "Polygon" and path[0] != path[-1]:
            raise InputError(where, "an outline does not end where it begins", "Close it")
        if base == "Polygon" and not _measure_area(path):
            raise InputError(where, "it is an area without an inside", "Draw it again, or make it a line")


def _measure_length(path: Path) -> float:
    return math.fsum(math.dist(one, other) for one, other in _list_edges(path))


def _measure_area(path: Path) -> float:
    """By Gauss's formula, from the first position, so that far from the corner no digits are lost."""
    x0, y0 = path[0]
    return abs(math.fsum((x - x0) * (v - y0) - (u - x0) * (y - y0) for (x, y), (u, v) in _list_edges(path))) / 2


def _list_edges(path: Path) -> Iterable[tuple[Position, Position]]:
    return itertools.pairwise(path)
