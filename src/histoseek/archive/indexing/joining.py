"""Joining a metadata table to slide files: by file, by slide id, by case id, in this order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from histoseek.archive.indexing.tables import SlideTable, TableRow
from histoseek.archive.schema import MetadataValue


@dataclass(frozen=True, slots=True)
class SlideMetadata:
    """What tables and reports say of one file; None and absent mean: they say nothing."""

    slide_id: str | None = None
    spacing_um_per_px: float | None = None
    report: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, MetadataValue] = field(default_factory=dict)

    @classmethod
    def of(cls, row: TableRow, report: str | None) -> SlideMetadata:
        """From a file's row and the report that is to be kept of it; the row's own text is passed over."""
        return cls(row.slide_id, row.spacing_um_per_px, report, row.texts, row.extra)


@dataclass(frozen=True, slots=True)
class Joined:
    """The row of each file that has one; keys of rows that belong to no file; files no row speaks of."""

    row_of: Mapping[Path, TableRow]
    unmatched_rows: tuple[str, ...]
    files_without_row: tuple[Path, ...]


def join(files: Sequence[Path], metadata: SlideTable | None) -> Joined:
    """Find each file's row; the first, where several fit.

    A row names a file by its path (absolute, or its end from some folder on), or its plain name; by a slide id equal
    to the file's stem or to the stem up to its first dot; or by a case id that the stem begins with. Where a name
    fits several files, the row counts as unmatched.
    """
    if metadata is None:
        return Joined({}, (), ())
    names = _Names(files, metadata.folder)
    row_of: dict[Path, TableRow] = {}
    unmatched = []
    for row in metadata.rows:
        found = names.files(row)
        for path in found:
            row_of.setdefault(path, row)
        if not found:
            unmatched.append(row.key)
    return Joined(row_of, tuple(unmatched), tuple(path for path in files if path not in row_of))


class _Names:
    """Files by all names that a row may call them."""

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self._folder = folder
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_id: dict[str, list[Path]] = defaultdict(list)
        self._by_case: dict[str, list[Path]] = defaultdict(list)
        for path in files:
            self._by_name[path.name].append(path)
            for slide_id in {path.stem, path.name.partition(".")[0]}:
                self._by_id[slide_id].append(path)
            for case_id in set(_case_prefixes(path.stem)):
                self._by_case[case_id].append(path)

    def files(self, row: TableRow) -> Sequence[Path]:
        """The files that a row speaks of."""
        if row.file:
            return self._by_file(row.file)
        if row.slide_id:
            named = self._by_id.get(row.slide_id, [])
            return named if len(named) == 1 else []
        return self._by_case.get(row.case_id or "", [])

    def _by_file(self, name: str) -> Sequence[Path]:
        wanted = Path(name)
        candidates = self._by_name.get(wanted.name, [])
        ends = [path for path in candidates if path.parts[-len(wanted.parts) :] == wanted.parts]
        beside = [path for path in ends if path == self._folder / wanted]
        exact = beside or ends
        return exact if len(exact) == 1 else []


def _case_prefixes(stem: str) -> Iterator[str]:
    """The stem and all its beginnings that end before a separator."""
    yield stem
    yield from (stem[:end] for end, character in enumerate(stem) if end and not character.isalnum())
