"""The columns of a metadata table: what each is called in an archive, and which may not be what was meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoseek.archive.schema import TEXT_COLUMNS, extra_column_name
from histoseek.errors import BadTable
from histoseek.reports.files.column_names import (
    ID_ROLES,
    Certainty,
    Role,
    choose_columns,
    find_column,
    guess_id,
    is_vague_id,
    recognise_column,
    split_words,
)
from histoseek.reports.files.report_columns import describe_header

IDS = ("file", "slide_id", "case_id")
TEXTS = (*IDS, *(name for name in TEXT_COLUMNS if name not in IDS), "report")
_ROLES: Mapping[str, Role] = {
    "file": "file",
    "slide_id": "slide_id",
    "case_id": "case_id",
    "patient_id": "patient_id",
    "site": "site",
    "stain": "stain",
    "organ": "organ",
    "diagnosis": "diagnosis",
    "report": "report",
    "spacing": "spacing",
}
_PARTS_OF_REPORTS = frozenset(("conclusion", "conclusions", "conclusie", "diagnostic", "impression", "body"))
"""Names that say a part of a report, where a table of reports has them."""
_WHOSE: Mapping[str, str] = {"patient_id": "a patient's", "case_id": "a case's", "slide_id": "a slide's"}
_NM = re.compile(r"\bnm\b")


@dataclass(frozen=True, slots=True)
class MetadataColumn:
    """A column: its name in the table and in an archive ("" where it is not used), and its position.

    is_id: its values are ids, and stay text; is_nm: it gives spacings in nanometres.
    """

    header: str
    name: str
    position: int
    is_id: bool = False
    is_nm: bool = False


def map_metadata_columns(path: Path, names: Sequence[str], rename: Mapping[str, str]) -> tuple[MetadataColumn, ...]:
    """What each column is called in an archive. Raises BadTable: no id column, two columns of one name."""
    ours = _choose_names(path, names, rename)
    columns = []
    for position, (header, name) in enumerate(zip(names, ours, strict=True)):
        is_nm = name == "spacing" and bool(_NM.search(header.lower()))
        columns.append(MetadataColumn(header, name, position, _is_id(header), is_nm))
    if not any(name in IDS for name in ours):
        advice = "Name one 'slide_id', 'case_id' or 'file', or use --rename OLD=slide_id"
        raise BadTable(path, f"no id column among: {describe_header(names)}", advice)
    return tuple(columns)


def _choose_names(path: Path, names: Sequence[str], rename: Mapping[str, str]) -> list[str]:
    """The archive's names of columns, as a user renames them or as they are recognised."""
    renamed: dict[int, str] = {}
    for old, new in rename.items():
        header = find_column(names, old)
        if header is not None:
            named = recognise_column(new)
            is_ours = named is not None and named.role in _ROLES
            renamed[names.index(header)] = named.role if named and is_ours else extra_column_name(new)
    readable = ["" if place in renamed or _is_part(name) else name for place, name in enumerate(names)]
    chosen = choose_columns(readable, _ROLES.values(), _ROLES.values())
    roles = {place: role for place, role in chosen.items() if role not in renamed.values()}
    fixed = {**roles, **renamed}
    used = dict.fromkeys(fixed.values())
    ours: list[str] = []
    for place, header in enumerate(names):
        name = fixed.get(place) or (extra_column_name(header) if header else "")
        if place not in fixed and header:
            name = name if name not in TEXTS else f"table_{name}"
        ours.append(name)
    _refuse_twice(path, names, ours)
    return _number_repeats(ours, used)


def _refuse_twice(path: Path, names: Sequence[str], ours: Sequence[str]) -> None:
    """Raise BadTable for two columns of one name, or two that are surely the same column of ours."""
    for name in dict.fromkeys(ours):
        rivals = [other for other in range(len(ours)) if name and ours[other] == name]
        words = {split_words(names[other]) for other in rivals}
        if len(rivals) > 1 and (name in _ROLES or len(words) < len(rivals)):
            where = ", ".join(f"{names[other]!r} (column {other + 1})" for other in rivals)
            advice = "Rename one of them, or use --rename OLD=NEW"
            raise BadTable(path, f"two columns are called {name!r}: {where}", advice)


def _number_repeats(ours: Sequence[str], used: Mapping[str, None]) -> list[str]:
    """Names of ours in which different headers, as of other scripts, do not fall together."""
    seen: dict[str, int] = {}
    numbered = []
    for name in ours:
        seen[name] = seen.get(name, 0) + 1
        numbered.append(f"{name}_{seen[name]}" if name and name not in used and seen[name] > 1 else name)
    return numbered


def _is_part(header: str) -> bool:
    named = recognise_column(header)
    if named is None or named.certainty == Certainty.EXACT:
        return False
    words = "".join(split_words(header))
    return words in _PARTS_OF_REPORTS or (named.role == "diagnosis" and words != "diagnose")


def _is_id(header: str) -> bool:
    named = recognise_column(header)
    return (named is not None and named.role in ID_ROLES) or guess_id(header) is not None or is_vague_id(header)


def list_column_warnings(path: Path, columns: Sequence[MetadataColumn], repeating: Collection[str] = ()) -> list[str]:
    """Columns that look like ids and are not used as such, and columns without a name; repeating: names of columns of
    some number (`may_be_id`) whose values come back in a few rows each, as those of patients do."""
    nameless = [str(column.position + 1) for column in columns if not column.header]
    warnings = [f"{path}: columns without a name are not used: number {', '.join(nameless)}"] if nameless else []
    return [*warnings, *(f"{path}: {warning}" for warning in _list_unused_ids(columns, repeating))]


def _list_unused_ids(columns: Sequence[MetadataColumn], repeating: Collection[str]) -> Iterator[str]:
    header_of = {column.name: column.header for column in columns}
    for column in columns:
        if not column.header or column.name in _ROLES:
            continue
        named = recognise_column(column.header)
        role = named.role if named and named.role in _WHOSE else guess_id(column.header)
        advice = _advise_rename(column.header, role or "patient_id")
        if role == "patient_id" and role in header_of:
            yield f"column {column.header!r} looks like a patient's id and is not used, since {header_of[role]!r} is"
        elif role is not None and role in _WHOSE and role not in header_of:
            yield f"column {column.header!r} looks like {_WHOSE[role]} id and is not used; {advice}"
        elif role is None and "patient_id" not in header_of and _is_vague(column, repeating):
            yield f"column {column.header!r} may be a patient's id and is not used; if it is, {advice}"


def _is_vague(column: MetadataColumn, repeating: Collection[str]) -> bool:
    return is_vague_id(column.header) or column.name in repeating


def _advise_rename(header: str, role: str) -> str:
    pair = f"{header}={role}"
    return f"--rename {pair}" if re.fullmatch(r"[\w=-]+", pair) else f"--rename '{pair}'"
