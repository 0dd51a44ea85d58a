"""Joining a metadata table to slides: by file, by slide id, by case id, in this order."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath, PureWindowsPath
from urllib.parse import unquote_to_bytes

from histoseek.archive.indexing.metadata_row import TableRow, join_rows, list_differences, merge_rows
from histoseek.archive.indexing.metadata_table import MetadataTable
from histoseek.archive.schema import MetadataValue, SlideRecord
from histoseek.reports.files.document import FileRefusal
from histoseek.reports.files.encodings import clean_id
from histoseek.reports.files.report_join import SLIDE_SUFFIXES
from histoseek.slides.sources.base import SlideSource
from histoseek.unicode import make_printable


@dataclass(frozen=True, slots=True)
class SlideMetadata:
    """What tables and reports say of one file; None and absent mean: they say nothing."""

    slide_id: str | None = None
    spacing_um_per_px: float | None = None
    report: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, MetadataValue] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: TableRow, report: str | None) -> SlideMetadata:
        """From a file's row and the report that is to be kept of it; the row's own text is ignored."""
        return cls(row.slide_id, row.spacing_um_per_px, report, row.texts, row.extra)


@dataclass(frozen=True, slots=True)
class UnmatchedRow:
    """A row that belongs to no slide, and why."""

    row: TableRow
    why: str


@dataclass(frozen=True, slots=True)
class MetadataJoin:
    """The row of each slide that has one; rows that belong to no slide; slides without a row; rows that contradict each
    other about a slide and are left out; notes on rows of slides and cases that differ."""

    row_of: Mapping[SlideSource, TableRow]
    unmatched: tuple[UnmatchedRow, ...]
    sources_without_row: tuple[SlideSource, ...]
    refused: tuple[FileRefusal, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def unmatched_rows(self) -> tuple[str, ...]:
        """What the rows that belong to no slide are called."""
        return tuple(unmatched.row.key for unmatched in self.unmatched)


def join_metadata(
    sources: Sequence[SlideSource], metadata: MetadataTable | None, records: Sequence[SlideRecord] = ()
) -> MetadataJoin:
    """Find each slide's row; records: what the archive holds, whose ids count as well.

    A row names a file by its path (absolute, or its end from some folder on), or its plain name; by a slide id equal
    to the archive's, the file's name, stem or stem up to its first dot; or by a case id: the archive's, or one that the
    stem begins with. The case of letters counts only where two slides differ by it. Where a name fits several files,
    the row counts as unmatched. A row about a case fills in what that of a slide leaves open.
    """
    if metadata is None:
        return MetadataJoin({}, (), ())
    record_of = {record.uri: record for record in records}
    names = _SlideNames(sources, metadata.folder, record_of)
    of_slides: dict[SlideSource, list[TableRow]] = defaultdict(list)
    of_cases: dict[SlideSource, list[TableRow]] = defaultdict(list)
    unmatched = []
    for row in metadata.rows:
        matches = names.find_sources(row)
        rows_of = of_slides if row.file or row.slide_id else of_cases
        for source in matches:
            rows_of[source].append(_name_by_file(row, source, record_of.get(source.uri)))
        if not matches:
            unmatched.append(UnmatchedRow(row, names.explain_failure(row)))
    row_of: dict[SlideSource, TableRow] = {}
    refused: dict[FileRefusal, None] = {}
    notes: list[str] = []
    for source in sources:
        merged, faults = join_rows(of_slides[source]) if source in of_slides else (None, [])
        refused |= dict.fromkeys(faults)
        cases = sorted(of_cases[source], key=lambda row: -len(row.case_id or "")) if source in of_cases else []
        for row in cases if not faults else []:
            notes += _note_difference(metadata.path, source, merged, row) if merged else []
            merged = merge_rows(merged, row) if merged else row
        if merged:
            row_of[source] = merged
    without = tuple(source for source in sources if source not in row_of)
    return MetadataJoin(row_of, tuple(unmatched), without, tuple(refused), tuple(notes))


def _note_difference(path: Path, source: SlideSource, row: TableRow, other: TableRow) -> Iterator[str]:
    differences = [name for name in list_differences(row, other) if name != "case_id"]
    if differences:
        columns = ", ".join(differences)
        yield f"{path}: {row.where} and {other.where} differ about {source.name} in {columns}: {row.where} counts"


def _name_by_file(row: TableRow, source: SlideSource, record: SlideRecord | None) -> TableRow:
    """A row that calls a slide by its file: the archive's id stays; a name goes without its ending, a path is no id."""
    if row.slide_id is None or row.file:
        return row
    if record and row.slide_id != record.slide_id:
        return replace(row, slide_id=record.slide_id)
    if len(_split_path(row.slide_id)) > 1:
        return replace(row, slide_id=None)
    is_name = row.slide_id.casefold() == source.name.casefold() and row.slide_id != source.stem
    return replace(row, slide_id=source.stem) if is_name else row


class _SlideNames:
    """Slides by all names that a row may call them."""

    def __init__(self, sources: Sequence[SlideSource], folder: Path, record_of: Mapping[str, SlideRecord]) -> None:
        self._folder = folder
        self._by_name = _Names()
        self._by_record_id = _Names()
        self._by_id = _Names()
        self._by_beginning = _Names()
        self._by_case = _Names()
        for source in sources:
            record = record_of.get(source.uri)
            name, stem = clean_id(source.name), clean_id(source.stem)
            self._by_name.add(name, source)
            if record:
                self._by_record_id.add(record.slide_id, source)
            for slide_id in {stem, name}:
                self._by_id.add(slide_id, source)
            self._by_beginning.add(name.partition(".")[0], source)
            for case_id in {*_list_case_prefixes(stem), *([record.case_id] if record and record.case_id else [])}:
                self._by_case.add(case_id, source)

    def find_sources(self, row: TableRow) -> Sequence[SlideSource]:
        """The slides that a row speaks of."""
        if row.file:
            stored = self._by_record_id.find(row.slide_id) if row.slide_id else []
            return self._find_file(row.file) or ([] if self._list_ends(row.file) else stored)
        if row.slide_id:
            matches = self._find_id(row.slide_id)
            is_path = not matches and len(_split_path(row.slide_id)) > 1
            return self._find_file(row.slide_id) if is_path else matches if len(matches) == 1 else []
        return self._by_case.find(row.case_id or "")

    def explain_failure(self, row: TableRow) -> str:
        """Why `find_sources` finds no slide."""
        if row.file or row.slide_id:
            name = row.file or row.slide_id or ""
            several = self._find_id(row.slide_id) if row.slide_id and not row.file else self._list_ends(name)
            if len(several) > 1:
                return "fits several slides"
            return self._explain_name(_split_path(name)[-1] if _split_path(name) else name)
        alike = self._by_case.find_without_zeros(row.case_id or "")
        return f"{alike!r} has other zeros before it" if alike else ""

    def _explain_name(self, name: str) -> str:
        """What is nearly called so."""
        if self._by_name.find(name):
            return "a file of this name lies in another folder"
        stem = PurePath(name).stem if PurePath(name).suffix.lower() in SLIDE_SUFFIXES else ""
        others = self._by_id.find(stem)
        if others:
            return f"{others[0].name!r} has another ending"
        alike = self._by_id.find_without_zeros(stem or name)
        return f"{alike!r} has other zeros before it" if alike else ""

    def _find_id(self, slide_id: str) -> Sequence[SlideSource]:
        stem, dot, suffix = slide_id.rpartition(".")
        is_file = stem and f"{dot}{suffix}".lower() in SLIDE_SUFFIXES
        names = (slide_id, stem) if is_file else (slide_id,)
        kinds = (self._by_record_id, self._by_id, self._by_beginning)
        return next((matches for name in names for kind in kinds if (matches := kind.find(name))), [])

    def _find_file(self, name: str) -> Sequence[SlideSource]:
        ends = self._list_ends(name)
        beside = [source for source in ends if source.parts == (self._folder / name).parts]
        exact = beside or ends
        if not ends and len(_split_path(name)) == 1 and PurePath(name).suffix.lower() not in SLIDE_SUFFIXES:
            exact = list(self._by_id.find(name) or self._by_beginning.find(name))
        return exact if len(exact) == 1 else []

    def _list_ends(self, name: str) -> list[SlideSource]:
        """The slides whose path ends with a name, as it stands or with the folders of Windows."""
        decoded = _split_path(_decode_address(name))
        readings = [_clean_parts(PurePath(name).parts), _split_path(name), decoded]
        if ".." in decoded:
            readings.append(_split_path(os.path.normpath(self._folder.joinpath(*decoded))))
        return next((ends for parts in readings if (ends := self._list_parts_ends(parts))), [])

    def _list_parts_ends(self, parts: tuple[str, ...]) -> list[SlideSource]:
        candidates = self._by_name.find(parts[-1]) if parts else []
        ends = [source for source in candidates if _clean_parts(source.parts)[-len(parts) :] == parts]
        folded = tuple(part.casefold() for part in parts)
        return ends or [source for source in candidates if _fold_parts(source.parts)[-len(parts) :] == folded]


class _Names:
    """Slides by names, as they are written or else in any case of letters."""

    def __init__(self) -> None:
        self._exact: dict[str, list[SlideSource]] = defaultdict(list)

    def add(self, name: str, source: SlideSource) -> None:
        self._exact[name].append(source)

    def find(self, name: str) -> Sequence[SlideSource]:
        return self._exact.get(name) or self._folded.get(name.casefold(), [])

    def find_without_zeros(self, name: str) -> str | None:
        """The only name that differs from this one by zeros before it."""
        alike = self._without_zeros.get(name.lstrip("0"), [])
        return alike[0] if len(alike) == 1 and name not in alike else None

    @cached_property
    def _folded(self) -> Mapping[str, list[SlideSource]]:
        """Made when a name is not there as it is written."""
        folded: dict[str, list[SlideSource]] = defaultdict(list)
        for name, sources in self._exact.items():
            folded[name.casefold()] += sources
        return folded

    @cached_property
    def _without_zeros(self) -> Mapping[str, list[str]]:
        names: dict[str, list[str]] = defaultdict(list)
        for name in self._exact:
            names[name.lstrip("0")].append(name)
        return names


def _split_path(name: str) -> tuple[str, ...]:
    """The parts of a path of any system."""
    path = PureWindowsPath(name) if "\\" in name else PurePath(name)
    return tuple(clean_id(part) for part in path.parts)


def _decode_address(name: str) -> str:
    """The path in an address, or in one with percent signs for blanks and the like."""
    path = re.sub(r"^file://[^/]*", "", name, flags=re.IGNORECASE)
    return make_printable(os.fsdecode(unquote_to_bytes(path)))


def _clean_parts(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(clean_id, parts))


def _fold_parts(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in _clean_parts(parts))


def _list_case_prefixes(stem: str) -> Iterator[str]:
    """The stem and all its beginnings that end before a separator."""
    yield stem
    yield from (stem[:end] for end, character in enumerate(stem) if end and not character.isalnum())
