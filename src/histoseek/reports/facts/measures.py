"""Sizes in millimetres, as they are written with a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from histoseek.reports.language.words import Span

_MM_PER = {"mm": 1.0, "cm": 10.0, "um": 0.001, "µm": 0.001, "μm": 0.001}
_VALUE = r"\d{1,3}(?:[.,]\d{1,2})?"
_UNIT = r"(?:mm|cm|um|[µμ]m)"
_SIZE = re.compile(
    rf"(?<![\w.,/])(?P<a>{_VALUE})\s*-?(?P<ua>{_UNIT})?"
    rf"(?:\s*(?:x|\u00d7|\*|by)\s*(?P<b>{_VALUE})\s*(?P<ub>{_UNIT})?(?:\s*(?:x|\u00d7|\*|by)\s*(?P<c>{_VALUE})\s*(?P<uc>{_UNIT})?)?)?"
    r"(?![\w²³])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One to three lengths in mm, in the order written."""

    dimensions_mm: tuple[float, ...]
    span: Span

    @property
    def largest_mm(self) -> float:
        """The longest of them."""
        return max(self.dimensions_mm)


def find_lengths(text: str) -> tuple[Measurement, ...]:
    """Every length with a unit ("2.2 x 1.9 x 1.6 cm", "5 mm"), in order."""
    return tuple(size for match in _SIZE.finditer(text) if (size := _parse_size(match)) is not None)


def _parse_size(match: re.Match[str]) -> Measurement | None:
    units = [match[f"u{axis}"] for axis in "abc"]
    last = next((unit for unit in reversed(units) if unit), None)
    if last is None:
        return None
    values = [(match[axis], unit or last) for axis, unit in zip("abc", units, strict=True) if match[axis]]
    lengths = tuple(round(float(value.replace(",", ".")) * _MM_PER[unit.lower()], 4) for value, unit in values)
    return Measurement(lengths, Span(*match.span()))
