"""Ranges of numbers and dates: as conditions, and cut into the bins of a histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression, all_of, compare
from histoseek.archive.schema import MetadataValue, cast_value
from histoseek.errors import InputError

MOMENTS = ("created", "updated")
"""When slides were put into the archive and changed: columns of its own that ranges can be of."""

MOST_BINS = 25
_STEPS = (1, 2, 5)
_YEARS = {"year": 1, "decade": 10, "century": 100}

ColumnKind = Literal["text", "number", "date", "truth"]
Unit = Literal["day", "month", "year", "decade", "century"]


@dataclass(frozen=True, slots=True)
class Bin:
    """How many slides have a value from minimum to maximum.

    Whole numbers and dates: both inclusive; others: below maximum, but for the last bin.
    """

    minimum: int | float | date
    maximum: int | float | date
    count: int


def kind_of_column(kind: pa.DataType) -> ColumnKind:
    """What people choose by in a column: values, a range of numbers or dates, or yes and no."""
    if pa.types.is_boolean(kind):
        return "truth"
    if pa.types.is_temporal(kind):
        return "date"
    return "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else "text"


def make_range(field: str, minimum: MetadataValue, maximum: MetadataValue, kind: pa.DataType) -> Expression | None:
    """That a column is within bounds, both inclusive, None for no bound; kind: of the column.

    Raises InputError for a column without an order, and for bounds that it can't hold or that leave nothing.
    """
    if kind_of_column(kind) in ("text", "truth"):
        what = f"has bounds, but the column holds {kind}"
        raise InputError(f"filter by {field}", what, "Give values; bounds are for numbers and dates")
    lowest, highest = (None if bound is None else _cast_bound(field, bound, kind) for bound in (minimum, maximum))
    if lowest is not None and highest is not None and lowest > highest:
        what = f"begins at {minimum}, after its end at {maximum}"
        raise InputError(f"filter by {field}", what, "Give the smaller value as minimum")
    if not pa.types.is_timestamp(kind):
        bounds = compare(field, ">=", lowest), compare(field, "<=", highest)
        return all_of(bounds[0] if lowest is not None else None, bounds[1] if highest is not None else None)
    return all_of(
        compare(field, ">=", _begin(lowest)) if lowest is not None else None,
        compare(field, "<", _begin(highest + timedelta(days=1))) if highest not in (None, date.max) else None,
    )


def cut_numbers(values: NDArray[Any], counts: NDArray[np.int64]) -> tuple[Bin, ...]:
    """Bins of round widths over all different values, ascending, with the slides of each; none without a finite value.

    values: [V] whole or fractional; counts: [V].
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ()
    is_whole = np.issubdtype(values.dtype, np.integer)
    low, high = finite[0].item(), finite[-1].item()
    step = _round_step(high - low, is_whole)
    first = math.floor(low / step)
    bins = max(1, math.floor(high / step) - first + 1)
    edges = [_round_edge(first + at, step) for at in range(bins + 1)]
    places = np.searchsorted(np.array(edges[1:-1], values.dtype), values, "right")
    totals = np.bincount(places, counts, bins).astype(np.int64).tolist()
    last = -1 if is_whole else 0
    return tuple(Bin(edges[at], edges[at + 1] + last, totals[at]) for at in range(bins))


def cut_dates(days: Sequence[date], counts: Sequence[int]) -> tuple[Bin, ...]:
    """Bins of days, months or so many years over all different days, ascending, with the slides of each."""
    if not days:
        return ()
    unit = _choose_unit(days[0], days[-1])
    totals: dict[date, int] = {}
    for day, count in zip(days, counts, strict=True):
        start = _start_of(day, unit)
        totals[start] = totals.get(start, 0) + int(count)
    bins: list[Bin] = []
    begin: date | None = _start_of(days[0], unit)
    while begin is not None and begin <= days[-1]:
        following = _next(begin, unit)
        end = following - timedelta(days=1) if following else date.max
        bins.append(Bin(begin, end, totals.get(begin, 0)))
        begin = following
    return tuple(bins)


def _cast_bound(field: str, bound: MetadataValue, kind: pa.DataType) -> Any:
    """A bound in the type of its column: days of moments, fractions also of whole numbers."""
    if pa.types.is_temporal(kind):
        if isinstance(bound, datetime):
            bound = bound.date()
        return cast_value(field, bound, pa.date32())
    number = cast_value(field, bound, kind if isinstance(bound, int) else pa.float64())
    if isinstance(bound, bool) or number is None:
        raise InputError(f"filter by {field}", f"{bound!r} is no bound of numbers", "Give a number")
    return number


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _round_step(span: float, is_whole: bool) -> float:
    """The smallest round width by which a span has no more than `MOST_BINS`."""
    if not span:
        return 1 if is_whole else 1.0
    power = math.floor(math.log10(span / MOST_BINS)) if span else 0
    for exponent in range(power, power + 3):
        for digit in _STEPS:
            step = digit * 10**exponent if exponent >= 0 else digit / 10**-exponent
            if span / step < MOST_BINS and not (is_whole and step < 1):
                return step
    raise AssertionError(f"no width for {span}")


def _round_edge(place: int, step: float) -> int | float:
    """Of a bin, without what binary fractions add."""
    return place * step if isinstance(step, int) else float(f"{place * step:.12g}")


def _choose_unit(first: date, last: date) -> Unit:
    days = (last - first).days
    if days < MOST_BINS:
        return "day"
    if days < MOST_BINS * 30:
        return "month"
    years = last.year - first.year
    return "year" if years < 2 * MOST_BINS else "decade" if years < 20 * MOST_BINS else "century"


def _start_of(day: date, unit: Unit) -> date:
    if unit == "day":
        return day
    if unit == "month":
        return day.replace(day=1)
    return date(max(1, day.year - day.year % _YEARS[unit]), 1, 1)


def _next(start: date, unit: Unit) -> date | None:
    """Where the next bin begins; None behind the last day that there is."""
    try:
        if unit == "day":
            return start + timedelta(days=1)
        if unit == "month":
            return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        return start.replace(year=start.year - start.year % _YEARS[unit] + _YEARS[unit])
    except (ValueError, OverflowError):
        return None
