"""Slides that were removed stay so: walks of folders pass them over, and whoever names one takes it in again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from histoseek.archive.erasure.tombstones import (
    Tombstones,
    read_or_begin_tombstones,
    read_tombstones,
    write_tombstones,
)
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import SlideRecord
from histoseek.errors import DamagedArchive, SlideError
from histoseek.slides.sources.base import SlideSource

_PASSED_OVER = (
    "{} removed from this archive earlier, and passed over: name a file itself, not its folder, to take it in again"
)


@dataclass(frozen=True, slots=True)
class ChosenSlides:
    """The slides to index by the fingerprints of their content, what is remembered of removed ones, how many of those
    were passed over, and warnings."""

    fingerprints: Mapping[SlideSource, str | SlideError]
    tombstones: Tombstones
    passed_over: int
    notes: tuple[str, ...]


def choose_slides(
    layout: ArchiveLayout,
    fingerprints: Mapping[SlideSource, str | SlideError],
    named: Collection[SlideSource],
    records: Sequence[SlideRecord],
) -> ChosenSlides:
    """Pass over slides that were removed by content or address; those that are named are no longer taken for removed.

    records: of all slides that the archive has.
    """
    tombstones, notes = _take_in_again(layout, {source: fingerprints[source] for source in named & fingerprints.keys()})
    present = {record.uri for record in records} | {record.file_fingerprint for record in records}

    def is_removed(source: SlideSource, content: str | SlideError) -> bool:
        if source in named or source.uri in present or content in present:
            return False
        return tombstones.has_address(source.uri) or (isinstance(content, str) and tombstones.has_content(content))

    chosen = {source: content for source, content in fingerprints.items() if not is_removed(source, content)}
    removed = len(fingerprints) - len(chosen)
    if removed:
        notes = (*notes, _PASSED_OVER.format("1 slide was" if removed == 1 else f"{removed:,} slides were"))
    return ChosenSlides(chosen, tombstones, removed, notes)


def _take_in_again(
    layout: ArchiveLayout, named: Mapping[SlideSource, str | SlideError]
) -> tuple[Tombstones, tuple[str, ...]]:
    """What is remembered, without slides that are named now, and a warning where it can't be read."""
    notes: tuple[str, ...] = ()
    try:
        tombstones = read_tombstones(layout)
    except DamagedArchive as error:
        tombstones, notes = read_or_begin_tombstones(layout), (str(error),)
    contents = [content for content in named.values() if isinstance(content, str)]
    left = tombstones.without(contents, [source.uri for source in named])
    if len(left) < len(tombstones):
        write_tombstones(layout, left)
    return left, notes
