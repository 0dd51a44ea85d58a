"""Joining a metadata table to slide files: by file, by slide id, by case id, in this order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from histoseek.archive.indexing.metadata_table import MetadataTable, TableRow
from histoseek.archive.schema import MetadataValue
from histoseek.slides.sources.base import SlideSource


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
class MetadataJoin:
    """The row of each slide that has one; keys of rows that belong to no slide; slides without a row."""

    row_of: Mapping[SlideSource, TableRow]
    unmatched_rows: tuple[str, ...]
    sources_without_row: tuple[SlideSource, ...]


def join_metadata(sources: Sequence[SlideSource], metadata: MetadataTable | None) -> MetadataJoin:
    """Find each slide's row; the first, where several fit.

    A row names a file by its path (absolute, or its end from some folder on), or its plain name; by a slide id equal
    to the file's stem or to the stem up to its first dot; or by a case id that the stem begins with. Where a name
    fits several files, the row counts as unmatched.
    """
    if metadata is None:
        return MetadataJoin({}, (), ())
    names = _SlideNames(sources, metadata.folder)
    row_of: dict[SlideSource, TableRow] = {}
    unmatched = []
    for row in metadata.rows:
        matches = names.find_sources(row)
        for source in matches:
            row_of.setdefault(source, row)
        if not matches:
            unmatched.append(row.key)
    return MetadataJoin(row_of, tuple(unmatched), tuple(source for source in sources if source not in row_of))


class _SlideNames:
    """Slides by all names that a row may call them."""

    def __init__(self, sources: Sequence[SlideSource], folder: Path) -> None:
        self._folder = folder
        self._by_name: dict[str, list[SlideSource]] = defaultdict(list)
        self._by_id: dict[str, list[SlideSource]] = defaultdict(list)
        self._by_case: dict[str, list[SlideSource]] = defaultdict(list)
        for source in sources:
            self._by_name[source.name].append(source)
            for slide_id in {source.stem, source.name.partition(".")[0]}:
                self._by_id[slide_id].append(source)
            for case_id in set(_list_case_prefixes(source.stem)):
                self._by_case[case_id].append(source)

    def find_sources(self, row: TableRow) -> Sequence[SlideSource]:
        """The slides that a row speaks of."""
        if row.file:
            return self._find_file(row.file)
        if row.slide_id:
            matches = self._by_id.get(row.slide_id, [])
            return matches if len(matches) == 1 else []
        return self._by_case.get(row.case_id or "", [])

    def _find_file(self, name: str) -> Sequence[SlideSource]:
        path = PurePath(name)
        candidates = self._by_name.get(path.name, [])
        ends = [source for source in candidates if source.parts[-len(path.parts) :] == path.parts]
        beside = [source for source in ends if source.parts == (self._folder / path).parts]
        exact = beside or ends
        return exact if len(exact) == 1 else []


def _list_case_prefixes(stem: str) -> Iterator[str]:
    """The stem and all its beginnings that end before a separator."""
    yield stem
    yield from (stem[:end] for end, character in enumerate(stem) if end and not character.isalnum())
