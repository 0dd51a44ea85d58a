"""Charts of an evaluation as inline SVG: functions of numbers and names, no page and no archive in sight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from histoseek.evaluation.report.svg import (
    CHAR_PX,
    COLOURS,
    Axis,
    choose_share_bounds,
    draw_chart,
    draw_short_text,
    draw_text,
    escape_xml,
    format_figure,
    format_tick,
    make_element,
    pick_colour,
)

_WIDTH = 560.0
_PLOT_HEIGHT = 290.0
_LEGEND_WIDTH = 168.0
_ROW = 26.0
_NAME_CHARS = 24
_DASHES = ("", "6 3", "2 3")
_POINTS = 200
"""A line is drawn through so many points at most."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line: its name, and its points from left to right; points with a NaN are left out."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its interval and what chance would give; any of the figures may be NaN."""

    name: str
    value: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a chart of rows has its parts: the axis along which values lie, and the y of each row's middle."""

    axis: Axis
    rows: tuple[float, ...]
    height: float


def draw_cmc_chart(systems: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Cumulative match curves: for each system the share of queries with a right answer among the first 1, 2, ... k."""
    lines = [Series(name, tuple(float(k) for k in range(1, len(y) + 1)), tuple(y)) for name, y in systems]
    deepest = max((len(line.x) for line in lines), default=1)
    return _draw_line_chart(
        "Queries with a right answer among the first k, by system", "k", "share", lines, (1.0, max(2.0, deepest))
    )


def draw_risk_coverage_chart(systems: Sequence[Series]) -> str:
    """Risk-coverage curves: the error among the share of queries that the system was surest of."""
    return _draw_line_chart(
        "Error among the surest queries, by system", "share of queries kept", "error", systems, (0, 1)
    )


def draw_bar_chart(title: str, rows: Sequence[Estimate]) -> str:
    """A bar for each row from 0 to its value, with its interval and a tick at chance; the axis is 0 to 1."""
    frame = _make_frame(len(rows), (0.0, 1.0))
    bars = [
        _draw_row(
            row,
            y,
            make_element(
                "rect",
                x=frame.axis(0),
                y=y - 8,
                width=max(0.0, frame.axis(row.value) - frame.axis(0)),
                height=16,
                class_="bar",
            )
            if math.isfinite(row.value)
            else "",
            _draw_whisker(row, frame.axis, y),
            _draw_chance(row, frame.axis, y),
        )
        for row, y in zip(rows, frame.rows, strict=True)
    ]
    return draw_chart(title, _WIDTH, frame.height, _draw_row_axis(frame), *bars)


def draw_dot_chart(title: str, rows: Sequence[Estimate]) -> str:
    """A dot for each row at its value, with its interval and a tick at chance; the axis holds just what there is."""
    figures = [v for row in rows for v in (row.value, row.low, row.high, row.chance) if math.isfinite(v)]
    frame = _make_frame(len(rows), choose_share_bounds(min(figures, default=0.0), max(figures, default=1.0)))
    dots = [
        _draw_row(
            row,
            y,
            _draw_whisker(row, frame.axis, y),
            make_element("circle", cx=frame.axis(row.value), cy=y, r=5, fill=pick_colour(number), class_="dot")
            if math.isfinite(row.value)
            else "",
            _draw_chance(row, frame.axis, y),
        )
        for number, (row, y) in enumerate(zip(rows, frame.rows, strict=True))
    ]
    return draw_chart(title, _WIDTH, frame.height, _draw_row_axis(frame), *dots)


def draw_confusion_chart(rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A heat map: rows are the truth, columns what was voted; a cell is darker the larger its share of the row."""
    digits = max((len(str(count)) for line in counts for count in line), default=1)
    cell = max(min(64.0, 380 / max(1, len(columns))), 22.0, 8 + CHAR_PX * digits)
    height = min(cell, 40.0)
    left = 14 + CHAR_PX * min(_NAME_CHARS, max((len(name) for name in rows), default=0))
    top = 30 + 0.72 * CHAR_PX * min(_NAME_CHARS, max((len(name) for name in columns), default=0))
    parts = [draw_text("truth (rows), vote (columns)", 4, 14, class_="soft")]
    for number, name in enumerate(columns):
        x, y = left + (number + 0.5) * cell, top - 6
        parts.append(draw_short_text(name, _NAME_CHARS, x, y, transform=f"rotate(-45 {x:.1f} {y:.1f})"))
    for i, (name, line) in enumerate(zip(rows, counts, strict=True)):
        y = top + i * height
        parts.append(draw_short_text(name, _NAME_CHARS, left - 6, y + height / 2 + 4, text_anchor="end"))
        for j, count in enumerate(line):
            parts.append(
                _draw_heat_cell(
                    f"{name}, voted {columns[j]}", count, sum(line), i == j, (left + j * cell, y, cell, height)
                )
            )
    slant = 0.72 * CHAR_PX * min(_NAME_CHARS, len(columns[-1]) if columns else 0)
    width = left + len(columns) * cell + max(12.0, slant)
    return draw_chart("Confusion of classes: truth against vote", width, top + len(rows) * height + 10, *parts)


def _draw_heat_cell(what: str, count: int, total: int, right: bool, box: tuple[float, float, float, float]) -> str:
    x, y, width, height = box
    share = count / total if total else 0.0
    return make_element(
        "g",
        make_element("title", escape_xml(f"{what}: {count} of {total} ({100 * share:.0f} %)")),
        make_element("rect", x=x, y=y, width=width, height=height, fill_opacity=0.7 * share, class_="heat"),
        make_element(
            "rect", x=x + 1, y=y + 1, width=width - 2, height=height - 2, class_="cell right" if right else "cell"
        ),
        draw_text(str(count), x + width / 2, y + height / 2 + 4, text_anchor="middle") if count else "",
    )


def _draw_line_chart(title: str, across: str, up: str, lines: Sequence[Series], span: tuple[float, float]) -> str:
    figures = [y for line in lines for y in line.y if math.isfinite(y)]
    bounds = choose_share_bounds(min(figures, default=0.0), max(figures, default=1.0))
    x = Axis(*span, 52, _WIDTH - _LEGEND_WIDTH - 12)
    y = Axis(*bounds, _PLOT_HEIGHT, 14)
    height = max(_PLOT_HEIGHT + 40, 24 + 18 * len(lines))
    return draw_chart(
        title,
        _WIDTH,
        height,
        _draw_grid(x, y, across, up),
        *(_draw_line(number, line, x, y) for number, line in enumerate(lines)),
        *(_draw_key(number, line.name) for number, line in enumerate(lines)),
    )


def _draw_grid(x: Axis, y: Axis, across: str, up: str) -> str:
    parts = [make_element("line", x1=x.at_start, x2=x.at_end, y1=y.at_start, y2=y.at_start, class_="axis")]
    for value in y.ticks():
        parts.append(make_element("line", x1=x.at_start, x2=x.at_end, y1=y(value), y2=y(value), class_="grid"))
        parts.append(draw_text(format_tick(value), x.at_start - 6, y(value) + 4, text_anchor="end", class_="soft"))
    for value in dict.fromkeys((x.start, *x.ticks())):
        parts.append(draw_text(format_tick(value), x(value), y.at_start + 17, text_anchor="middle", class_="soft"))
    middle = (y.at_start + y.at_end) / 2
    parts.append(draw_text(across, (x.at_start + x.at_end) / 2, y.at_start + 35, text_anchor="middle"))
    parts.append(draw_text(up, 12, middle, text_anchor="middle", transform=f"rotate(-90 12 {middle:.1f})"))
    return make_element("g", *parts)


def _draw_line(number: int, line: Series, x: Axis, y: Axis) -> str:
    points = [(a, b) for a, b in zip(line.x, line.y, strict=True) if math.isfinite(a) and math.isfinite(b)]
    step = max(1, math.ceil(len(points) / _POINTS))
    visible_points = points[::step] + (points[-1:] if len(points) > 1 and (len(points) - 1) % step else [])
    coordinates = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in visible_points)
    return make_element(
        "polyline", make_element("title", escape_xml(line.name)), points=coordinates, **_choose_stroke(number)
    )


def _draw_key(number: int, name: str) -> str:
    x, y = _WIDTH - _LEGEND_WIDTH, 22 + 18 * number
    sample = make_element("line", x1=x, x2=x + 22, y1=y, y2=y, **_choose_stroke(number))
    return sample + draw_short_text(name, int((_LEGEND_WIDTH - 28) / CHAR_PX), x + 28, y + 4)


def _choose_stroke(number: int) -> dict[str, str | float]:
    dashes = _DASHES[number // COLOURS % len(_DASHES)]
    return {"class_": "curve", "stroke": pick_colour(number), **({"stroke_dasharray": dashes} if dashes else {})}


def _make_frame(count: int, bounds: tuple[float, float]) -> _Frame:
    left = 14 + CHAR_PX * _NAME_CHARS
    rows = tuple(10 + _ROW * (number + 0.5) for number in range(count))
    return _Frame(Axis(*bounds, left, _WIDTH - 58), rows, 10 + _ROW * count + 30)


def _draw_row_axis(frame: _Frame) -> str:
    bottom = 10 + _ROW * len(frame.rows)
    parts = []
    for value in frame.axis.ticks():
        x = frame.axis(value)
        parts.append(make_element("line", x1=x, x2=x, y1=8, y2=bottom, class_="grid"))
        parts.append(draw_text(format_tick(value), x, bottom + 17, text_anchor="middle", class_="soft"))
    return make_element("g", *parts)


def _draw_row(row: Estimate, y: float, *marks: str) -> str:
    """A row with its name to the left, its value to the right, and all its figures when pointed at."""
    low, high, chance = (format_figure(figure) for figure in (row.low, row.high, row.chance))
    hover_text = f"{row.name}: {format_figure(row.value)} ({low} to {high}), chance {chance}"
    name = draw_short_text(row.name, _NAME_CHARS, 8 + CHAR_PX * _NAME_CHARS, y + 4, text_anchor="end")
    value = draw_text(format_figure(row.value), _WIDTH - 8, y + 4, text_anchor="end", class_="value")
    return make_element("g", make_element("title", escape_xml(hover_text)), name, *marks, value)


def _draw_whisker(row: Estimate, axis: Axis, y: float) -> str:
    if not (math.isfinite(row.low) and math.isfinite(row.high)):
        return ""
    low, high = axis(row.low), axis(row.high)
    path = f"M{low:.1f} {y - 4:.1f}v8M{low:.1f} {y:.1f}H{high:.1f}M{high:.1f} {y - 4:.1f}v8"
    return make_element("path", d=path, class_="interval")


def _draw_chance(row: Estimate, axis: Axis, y: float) -> str:
    if not math.isfinite(row.chance):
        return ""
    x = axis(row.chance)
    return make_element("line", x1=x, x2=x, y1=y - 11, y2=y + 11, class_="chance")
