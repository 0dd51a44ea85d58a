"""Whether two archives are the same: all rows by their checksums, all features and files beside them by their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.moving.bags import compare_bags
from histoseek.archive.moving.files import name_file
from histoseek.archive.moving.rows import RowDifferences, compare_rows
from histoseek.archive.moving.source import CopySource, take_source
from histoseek.progress import Reporter

_KEPT = "tombstones.json"


@dataclass(frozen=True, slots=True)
class ArchiveComparison:
    """How an archive differs from another.

    slides: of the first; missing, added: ids of slides that the second lacks, and that it alone has; altered: of those
    with other values; bags: files of features that differ, and how many there are; files: names of files of the
    embedding space, and of what says which slides were removed, that differ; manifest: whether format, recipe or
    embedding space do.
    """

    slides: int
    missing: tuple[str, ...]
    added: tuple[str, ...]
    altered: tuple[str, ...]
    bags: int
    files: tuple[str, ...]
    manifest: bool

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.added or self.altered or self.bags or self.files or self.manifest)


def compare_archives(one: ArchiveFolder, other: ArchiveFolder, reporter: Reporter) -> ArchiveComparison:
    """How two archives differ as they are now, wherever they lie; logs and what waits to be erased may.

    Raises ArchiveError.
    """
    mine, there = take_source(one), take_source(other)
    rows = RowDifferences()
    slides = mine.rows.count(None) if mine.rows else 0
    with reporter.part("rows", slides) as part:
        if mine.rows and there.rows:
            rows = compare_rows(mine.rows, there.rows, part)
    folders = mine.list_bags()
    with reporter.part("features", slides) as part:
        bags = compare_bags(mine.files, there.files, folders, {}, part)
    own, others = _own_files(mine), _own_files(there)
    files = sorted(name for name in {*own, *others} if own.get(name) != others.get(name))
    is_other = replace(mine.manifest, number=there.manifest.number) != there.manifest
    return ArchiveComparison(slides, rows.missing, rows.added, rows.altered, len(bags), tuple(files), is_other)


def _own_files(source: CopySource) -> Mapping[str, bytes]:
    """By name within the space: its number is another once an archive was re-encoded or repaired."""
    space = name_file(source.layout, source.layout.space) + "/"
    left = name_file(source.layout, source.layout.chance)
    return {
        name.removeprefix(space): data
        for name, data in source.side_files.items()
        if name == _KEPT or (name.startswith(space) and name != left)
    }


def describe_differences(comparison: ArchiveComparison) -> Iterable[str]:
    """What differs, one line each, without naming slides."""
    counts = (
        (len(comparison.missing), "slides are missing"),
        (len(comparison.added), "slides are not in the first archive"),
        (len(comparison.altered), "slides have other values"),
        (comparison.bags, "files of features differ"),
    )
    yield from (f"{count} {what}" for count, what in counts if count)
    yield from (f"{name} differs" for name in comparison.files)
    if comparison.manifest:
        yield "format, recipe or embedding space differ"
