"""Joining tables to slide files: by file, by slide id, by case id, in this order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from histoseek.archive.schema import MetadataValue
from histoseek.archive.tables import SlideTable, TableRow


@dataclass(frozen=True, slots=True)
class SlideMetadata:
    """What tables say of one file; None and absent mean: they say nothing."""

    slide_id: str | None = None
    spacing_um_per_px: float | None = None
    report: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, MetadataValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joined:
    """Metadata of each file; keys of rows and of reports that belong to no file; files no row speaks of."""

    of: Mapping[Path, SlideMetadata]
    unmatched_rows: tuple[str, ...]
    unmatched_reports: tuple[str, ...]
    files_without_row: tuple[Path, ...]


def join(files: Sequence[Path], metadata: SlideTable | None, reports: SlideTable | None) -> Joined:
    """Find each file's row and reports.

    A row names a file by its path (absolute, or its end from some folder on), or its plain name; by a slide id equal
    to the file's stem or to the stem up to its first dot; or by a case id that the stem begins with. Where a name
    fits several files, the row counts as unmatched. Several reports of a slide are put together.
    """
    rows = _Matches(files, metadata)
    texts = _Matches(
        files,
        reports,
        {path: row.case_id for path, found in rows.found.items() for row in found[:1]},
        {path: row.slide_id for path, found in rows.found.items() for row in found[:1]},
    )
    of = {path: _metadata(rows.found.get(path, ()), texts.found.get(path, ())) for path in files}
    without = tuple(path for path in files if metadata and path not in rows.found)
    return Joined(of, rows.unmatched, texts.unmatched, without)


def _metadata(rows: Sequence[TableRow], reports: Sequence[TableRow]) -> SlideMetadata:
    row = rows[0] if rows else TableRow()
    texts = [report.report for report in reports if report.report]
    return SlideMetadata(
        slide_id=row.slide_id,
        spacing_um_per_px=row.spacing_um_per_px,
        report="\n\n".join(texts) or row.report,
        texts=row.texts,
        extra=row.extra,
    )


@dataclass
class _Matches:
    """Rows of a table by file; files can be known by ids that another table gave them."""

    files: Sequence[Path]
    table: SlideTable | None
    case_of: Mapping[Path, str | None] = field(default_factory=dict)
    id_of: Mapping[Path, str | None] = field(default_factory=dict)
    found: dict[Path, list[TableRow]] = field(default_factory=lambda: defaultdict(list), init=False)
    unmatched: tuple[str, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_id: dict[str, list[Path]] = defaultdict(list)
        self._by_case: dict[str, list[Path]] = defaultdict(list)
        for path in self.files:
            self._by_name[path.name].append(path)
            for slide_id in {path.stem, path.name.partition(".")[0], self.id_of.get(path)} - {None}:
                self._by_id[str(slide_id)].append(path)
            for case_id in {*_case_prefixes(path.stem), self.case_of.get(path)} - {None}:
                self._by_case[str(case_id)].append(path)
        self._match()

    def _match(self) -> None:
        unmatched = []
        for row in self.table.rows if self.table else ():
            files = self._files(row)
            for path in files:
                self.found[path].append(row)
            if not files:
                unmatched.append(row.key)
        self.unmatched = tuple(unmatched)

    def _files(self, row: TableRow) -> Sequence[Path]:
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
        beside = [path for path in ends if self.table and path == self.table.folder / wanted]
        exact = beside or ends
        return exact if len(exact) == 1 else []


def _case_prefixes(stem: str) -> Iterator[str]:
    """The stem and all its beginnings that end before a separator."""
    yield stem
    yield from (stem[:end] for end, character in enumerate(stem) if end and not character.isalnum())
