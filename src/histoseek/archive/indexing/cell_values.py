"""Values of a table's cells: numbers as several countries write them, truth values and days; else text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date

import pyarrow as pa

from histoseek.archive.schema import MetadataValue, cast_value

_INT = re.compile(r"[+-]?(?:0|[1-9]\d*)")
_FLOAT = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]?inf", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?(?:0|[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d*),\d+")
_DOTTED_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")
_COMMA_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_BOOLEANS = {"true": True, "false": False}
_LARGEST = 2**63
_WRITTEN_ID = re.compile(r"0\d+|\d+\.\d+")
_WHOLE_FLOAT = re.compile(r"(\d+)\.0+")
_UNKNOWN_TEXT = """
unknown|not known|unk|unidentified|not identified|none|nil|null|nan|na|n a|no id|no number|missing|not available
not applicable|not given|not recorded|not provided|unavailable|anonymous|anonymized|anonymised|redacted|removed|deleted
pending|tbd|tba|to be determined|unbekannt|k a|keine angabe|nicht bekannt|anonym|inconnu|inconnue|non connu|anonyme
desconocido|desconocida|anonimo|anónimo|sconosciuto|sconosciuta|onbekend|anoniem|xx|xxx|xxxx|xxxxx
"""
_UNKNOWN = frozenset(words for line in _UNKNOWN_TEXT.split("\n") for words in line.split("|") if words)
_SPACING = re.compile(
    r"~?\s*(?P<number>[\d.,]+(?:e-?\d+)?)\s*(?:(?P<unit>um|nm|mm|micron|microns|mpp)\s*(?:(?:/|per)\s*(?:px|pixel))?)?"
)
_UM = {"nm": 1e-3, "mm": 1e3}
FINEST_SPACING, COARSEST_SPACING = 0.01, 100.0
"""What µm per pixel can be: other values are of another unit, or a magnification."""


def infer_values(texts: Sequence[str | None], delimiter: str = ",") -> tuple[pa.DataType | None, list[MetadataValue]]:
    """A column's cells in the narrowest type that takes them all: integer, number, true or false, day, else text.

    None: all are empty. A number with zeros before it is text, as is one that is too long to be kept exactly. A comma
    is a decimal one ("0,5"), but where all are followed by three digits ("1,234") only in tables with semicolons.
    """
    given = [text for text in texts if text is not None]
    if not given:
        return None, list(texts)
    plain = _unify_commas(texts, delimiter)
    numbers = [text for text in plain if text is not None]
    if all(map(_INT.fullmatch, numbers)):
        exact = all(-_LARGEST <= int(text) < _LARGEST for text in numbers)
        return (pa.int64(), [_map(text, int) for text in plain]) if exact else (pa.string(), list(texts))
    if all(map(_FLOAT.fullmatch, numbers)):
        return pa.float64(), [_map(text, float) for text in plain]
    if all(text.lower() in _BOOLEANS for text in given):
        return pa.bool_(), [None if text is None else _BOOLEANS[text.lower()] for text in texts]
    if all(map(_is_day, given)):
        return pa.date32(), [_map(text, date.fromisoformat) for text in texts]
    return pa.string(), list(texts)


def cast_cell(column: str, text: str | None, value: MetadataValue, kind: pa.DataType) -> MetadataValue:
    """A cell in the type of an archive's column; text: as it stands in the table, None where a program gave a value.

    Raises InputError naming the column and the value when it does not fit.
    """
    if text is None:
        return cast_value(column, value, kind)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        plain = _unify_commas([text], ";")[0] or text
        return cast_value(column, value if number else float(plain) if _FLOAT.fullmatch(plain) else text, kind)
    return cast_value(column, text, kind)


def strip_fractions(texts: Sequence[str | None]) -> list[str | None]:
    """Ids without the ".0" that a spreadsheet gives numbers; as they are where another one shows that they were no
    numbers: "12.1", "0012"."""
    if any(text is not None and _WRITTEN_ID.fullmatch(text) and not _WHOLE_FLOAT.fullmatch(text) for text in texts):
        return list(texts)
    whole = [None if text is None else _WHOLE_FLOAT.fullmatch(text) for text in texts]
    return [match[1] if match else text for match, text in zip(whole, texts, strict=True)]


def is_placeholder(value: MetadataValue, column: str) -> bool:
    """Whether a cell of a column of ids says that there is none: "-", and of patients and cases "unknown" as well.

    All slides with such an "id" would be taken for one patient's.
    """
    if not isinstance(value, str) or value[-1:].isdigit():
        return False
    words = " ".join(re.findall(r"[^\W_]+", value.casefold()))
    return not words or (column in ("patient_id", "case_id") and words in _UNKNOWN)


def parse_spacing(text: str, is_nm: bool = False) -> float | None:
    """µm per pixel: "0.25", "0,25", "~0.25 µm/px", "250 nm"; is_nm: the column says so. None where it is none."""
    plain = text.strip().lower().replace("µ", "u").replace("\u03bc", "u")
    match = _SPACING.fullmatch(plain)
    number = (_unify_commas([match["number"]], ";")[0] or "") if match else ""
    if not match or not _FLOAT.fullmatch(number):
        return None
    spacing = float(number) * (_UM.get(match["unit"] or "", 1.0) if match["unit"] or not is_nm else _UM["nm"])
    return spacing if FINEST_SPACING <= spacing <= COARSEST_SPACING else None


def _unify_commas(texts: Sequence[str | None], delimiter: str) -> list[str | None]:
    """Numbers with a point before their fraction and nothing between thousands; as they are where some are none."""
    given = [text for text in texts if text is not None]
    with_comma = [text for text in given if "," in text]
    others = [text for text in given if "," not in text]
    if not with_comma:
        return list(texts)
    is_english = all(map(_COMMA_THOUSANDS.fullmatch, with_comma)) and all(map(_FLOAT.fullmatch, others))
    if is_english and (delimiter != ";" or any("." in text for text in with_comma)):
        return [None if text is None else text.replace(",", "") for text in texts]
    has_thousands = any("." in text for text in with_comma)
    is_plain = all((_DOTTED_THOUSANDS if has_thousands and "." in text else _FLOAT).fullmatch(text) for text in others)
    if not (all(map(_DECIMAL_COMMA.fullmatch, with_comma)) and is_plain):
        return list(texts)
    dots = {text for text in given if "," in text or has_thousands}
    return [None if text is None else _exchange(text) if text in dots else text for text in texts]


def _exchange(text: str) -> str:
    return text.replace(".", "").replace(",", ".")


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _map(text: str | None, make: Callable[[str], MetadataValue]) -> MetadataValue:
    return None if text is None else make(text)
