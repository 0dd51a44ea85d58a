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
_TAKEN_AGAIN = "{} removed from this archive earlier, and taken in again, as the files themselves are named"


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
    given_ids: Mapping[SlideSource, str],
) -> ChosenSlides:
    """Pass over slides that were removed by content, address or id; those that are named are no longer taken for
    removed.

    records: of all slides that the archive has; given_ids: ids that a table or the name of a feature file gives.
    Raises DamagedArchive where there are slides that may have been removed, and what is remembered can't be read.
    """
    try:
        tombstones = read_tombstones(layout)
    except DamagedArchive:
        if fingerprints.keys() - named:
            raise
        return ChosenSlides(fingerprints, read_or_begin_tombstones(layout), 0, ())
    left = _take_in_again(
        layout, tombstones, {one: fingerprints[one] for one in named & fingerprints.keys()}, given_ids
    )
    present = {text for record in records for text in (record.uri, record.file_fingerprint, record.slide_id)}

    def is_removed(source: SlideSource, content: str | SlideError) -> bool:
        slide_id = given_ids.get(source)
        if source in named or not present.isdisjoint((source.uri, content, slide_id)):
            return False
        is_content = isinstance(content, str) and left.has_content(content)
        return is_content or left.has_address(source.uri) or (slide_id is not None and left.has_id(slide_id))

    chosen = {source: content for source, content in fingerprints.items() if not is_removed(source, content)}
    removed, again = len(fingerprints) - len(chosen), len(tombstones) - len(left)
    notes = [text.format(_count(count)) for text, count in ((_PASSED_OVER, removed), (_TAKEN_AGAIN, again)) if count]
    return ChosenSlides(chosen, left, removed, tuple(notes))


def _take_in_again(
    layout: ArchiveLayout,
    tombstones: Tombstones,
    named: Mapping[SlideSource, str | SlideError],
    given_ids: Mapping[SlideSource, str],
) -> Tombstones:
    """What is remembered, without slides that are named now."""
    contents = [content for content in named.values() if isinstance(content, str)]
    ids = [given_ids[source] for source in named if source in given_ids]
    left = tombstones.without(contents, [source.uri for source in named], ids)
    if len(left) < len(tombstones):
        write_tombstones(layout, left)
    return left


def _count(slides: int) -> str:
    return "1 slide was" if slides == 1 else f"{slides:,} slides were"
