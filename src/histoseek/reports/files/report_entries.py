"""One row or file as an entry: ids, texts, and its place among the addenda."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from histoseek.reports.files.column_names import PART_NAMES, PartName, Role
from histoseek.reports.files.document import FileRefusal, ReportPart, ReportSource
from histoseek.reports.files.encodings import clean_characters, clean_id
from histoseek.reports.files.raw_tables import BadRow, RawRow, RawTable, find_wrong_length, is_null
from histoseek.reports.files.report_columns import ColumnMapping
from histoseek.reports.files.texts import LONGEST_TEXT
from histoseek.reports.privacy.person_names import is_person_name, make_pseudonym

_ADDENDUM = re.compile(r"addend|amend|supplement|nachtrag|erg[aä]nz|compl[eé]ment|aanvull", re.IGNORECASE)
_SEVERAL_IDS = re.compile(r"[;|,\n]+")
_SEVERAL_FILES = re.compile(r"[;|\n]+")
_DATES = ("%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d-%m-%Y")
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """What one row or file says. order: of a date or sequence column, larger is later; addendum: it says it is one;
    persons: names beside the text."""

    report_id: str | None
    slide_ids: tuple[str, ...]
    files: tuple[str, ...]
    case_id: str | None
    patient_id: str | None
    parts: tuple[ReportPart, ...]
    source: ReportSource
    order: float | None = None
    addendum: bool = False
    persons: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What entries of one report share: the report's id, else the case, slides, file or patient."""
        keys = (
            ("report", self.report_id),
            ("case", self.case_id),
            ("slide", ";".join(self.slide_ids)),
            ("file", ";".join(self.files)),
            ("patient", make_pseudonym(self.patient_id or "")),
        )
        return next((kind, value) for kind, value in keys if value)

    @property
    def report_name(self) -> str:
        """What a report that begins with this entry is called: its key, but its row where that is a person's name."""
        kind, value = self.key
        is_person = kind == "patient" and self.has_named_patient
        return f"row {self.source.row} of {self.source.path.name}" if is_person else value

    @property
    def has_named_patient(self) -> bool:
        """Whether the id of its patient is the name of a person."""
        return self.patient_id is not None and is_person_name(self.patient_id)

    @property
    def text(self) -> tuple[tuple[PartName, str], ...]:
        """The texts alone, to tell whether two entries say the same."""
        return tuple((part.name, part.text) for part in self.parts)


def read_entries(table: RawTable, mapping: ColumnMapping) -> Iterator[ReportEntry | FileRefusal]:
    """The rows of a table as entries; rows that cannot be used as refusals."""
    by_role: dict[Role, list[int]] = {}
    for assignment in mapping.roles:
        by_role.setdefault(assignment.role, []).append(table.names.index(assignment.column))
    for row in table.rows:
        source = ReportSource(table.path, row.number, row.line, table.sheet)
        if isinstance(row, BadRow):
            yield FileRefusal(source, row.what, row.advice)
            continue
        faulty_column = next(
            (assignment.column for assignment in mapping.roles if table.names.index(assignment.column) in row.faults),
            None,
        )
        if faulty_column is not None:
            what = f"{row.faults[table.names.index(faulty_column)]} in {faulty_column!r}"
            yield FileRefusal(source, what, "Give one text, or a list of texts")
            continue
        wrong_length = find_wrong_length(row, table.names)
        if wrong_length:
            yield FileRefusal(
                source, wrong_length, "Check the quotes around its text; quotes inside it must be doubled"
            )
        else:
            yield _make_entry(row, by_role, source)


def _make_entry(row: RawRow, by_role: dict[Role, list[int]], source: ReportSource) -> ReportEntry | FileRefusal:
    def read_cell(role: Role, clean: Callable[[str], str] = clean_id) -> str | None:
        cell = next((row.cells[index] for index in by_role.get(role, ())), "")
        return None if is_null(cell) else clean(cell) or None

    parts = tuple(_read_parts(row.cells, by_role))
    ids = read_cell("report_id"), read_cell("case_id"), read_cell("patient_id")
    slide_ids = _split_ids(_SEVERAL_IDS, read_cell("slide_id", str))
    files = _split_ids(_SEVERAL_FILES, read_cell("file", str))
    if not (any(ids) or slide_ids or files):
        return FileRefusal(source, "the row has no id", "Fill in its slide_id, case_id or file, or remove the row")
    if not parts:
        return FileRefusal(source, "no text", "Fill it in, or remove the row")
    longest = max(len(part.text) for part in parts)
    if longest > LONGEST_TEXT:
        what = f"{longest:,} characters; a report may have at most {LONGEST_TEXT:,}"
        return FileRefusal(source, what, "Check for a quote that is not closed, or shorten it")
    order = _read_order(read_cell("sequence"), read_cell("date"))
    is_addendum = bool(_ADDENDUM.search(read_cell("kind") or "")) or all(part.name == "addendum" for part in parts)
    persons = tuple(_read_persons(row.cells[index] for index in by_role.get("person", ())))
    return ReportEntry(ids[0], slide_ids, files, ids[1], ids[2], parts, source, order, is_addendum, persons)


def _read_persons(cells: Iterable[str]) -> Iterator[str]:
    """Names of persons; what has digits is a number, or the name of a file."""
    for name in map(clean_id, cells):
        if name and not is_null(name) and not any(character.isdigit() for character in name):
            yield name


def _read_parts(cells: Sequence[str], by_role: dict[Role, list[int]]) -> Iterator[ReportPart]:
    for name in PART_NAMES:
        for index in by_role.get(name, ()):
            text = clean_characters(cells[index])
            if not is_null(text):
                yield ReportPart(name, text, addendum=int(name == "addendum"))


def _split_ids(between: re.Pattern[str], cell: str | None) -> tuple[str, ...]:
    ids = (clean_id(part) for part in between.split(cell or ""))
    return tuple(dict.fromkeys(item for item in ids if item))


def _read_order(sequence: str | None, day: str | None) -> float | None:
    """A number that grows from earlier to later; None when neither column says anything that can be read."""
    number = re.search(r"\d+(\.\d+)?", sequence or "")
    if number:
        return float(number.group())
    return _count_days(day) if day else None


def _count_days(text: str) -> float | None:
    """Days since year 1. Dates with slashes are month first unless that is impossible."""
    slashes = _SLASHES.match(text)
    if slashes:
        first, second, year = (int(part) for part in slashes.groups())
        month, day = (second, first) if first > 12 else (first, second)
        text = f"{year:04}-{month:02}-{day:02}"
    for reading in (datetime.fromisoformat, *(_make_date_parser(form) for form in _DATES)):
        try:
            moment = reading(text)
        except ValueError:
            continue
        return moment.toordinal() + (moment.hour * 60 + moment.minute) / 1440
    return None


def _make_date_parser(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)
