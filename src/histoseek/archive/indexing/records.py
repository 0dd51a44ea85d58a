"""From what is known of a file to the record that the archive keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.archive.indexing.sources import SourcedBag
from histoseek.archive.schema import SlideRecord


def new_record(slide: PlannedSlide, sourced: SourcedBag) -> SlideRecord:
    """The record of a slide that was just encoded; metadata that no table gives stays as it was."""
    now = datetime.now(UTC)
    origin = sourced.origin
    record = SlideRecord(
        slide_id=slide.slide_id,
        uri=slide.source.uri,
        file_fingerprint=slide.file_fingerprint,
        width=origin.width,
        height=origin.height,
        spacing_um_per_px=origin.slide_spacing_um_per_px,
        tile_count=len(sourced.bag),
        created=slide.known.created if slide.known else now,
        updated=now,
    )
    return _with_metadata(record, slide)


def changed_record(slide: PlannedSlide, known: SlideRecord) -> SlideRecord | None:
    """The record of an unchanged slide with new metadata or place; None when nothing is new."""
    record = _with_metadata(replace(known, uri=slide.source.uri), slide)
    return None if record == known else replace(record, updated=datetime.now(UTC))


def _with_metadata(record: SlideRecord, slide: PlannedSlide) -> SlideRecord:
    known, given = slide.known, slide.metadata
    kept = (
        {name: getattr(known, name) for name in ("case_id", "patient_id", "site", "stain", "organ", "diagnosis")}
        if known
        else {}
    )
    said = {name: value for name, value in given.extra.items() if value is not None}
    extra = {**(known.extra if known else {}), **said}
    report = given.report or (known.report if known else None)
    return replace(record, **{**kept, **given.texts}, report=report, extra=extra)
