"""From a planned slide to the record that the archive keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from histoseek.archive.indexing.bag_providers import CachedBag
from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.archive.schema import TEXT_COLUMNS, SlideRecord


def make_record(slide: PlannedSlide, cached: CachedBag) -> SlideRecord:
    """The record of a slide that was just encoded; metadata that no table gives stays as it was."""
    now = datetime.now(UTC)
    origin = cached.origin
    record = SlideRecord(
        slide_id=slide.slide_id,
        uri=slide.source.uri,
        file_fingerprint=slide.file_fingerprint,
        width=origin.width,
        height=origin.height,
        spacing_um_per_px=origin.slide_spacing_um_per_px,
        tile_count=len(cached.bag),
        created=slide.record.created if slide.record else now,
        updated=now,
    )
    return _with_metadata(record, slide)


def update_record(slide: PlannedSlide, stored: SlideRecord) -> SlideRecord | None:
    """The record of an unchanged slide with new metadata or place; None when nothing is new."""
    record = _with_metadata(replace(stored, uri=slide.source.uri), slide)
    return None if record == stored else replace(record, updated=datetime.now(UTC))


def _with_metadata(record: SlideRecord, slide: PlannedSlide) -> SlideRecord:
    stored, metadata = slide.record, slide.metadata
    columns = {name: getattr(stored, name) for name in TEXT_COLUMNS if stored}
    values = {name: value for name, value in metadata.extra.items() if value is not None}
    extra = {**(stored.extra if stored else {}), **values}
    report = metadata.report or (stored.report if stored else None)
    return replace(record, **{**columns, **metadata.texts}, report=report, extra=extra)
