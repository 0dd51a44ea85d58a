"""Changing the metadata of slides that an archive has, in one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from histoseek.archive.erasure.pending import note_pending
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.indexing.report_cleaner import clean_many
from histoseek.archive.journal import Journal
from histoseek.archive.schema import (
    RECORD_COLUMNS,
    ColumnType,
    LanguageVectors,
    MetadataValue,
    SlideRecord,
    StoredSlide,
    cast_value,
    choose_new_columns,
    make_column_types,
    make_plain,
    require_changes,
    require_text,
)
from histoseek.archive.stores.checksums import LANGUAGE, REPORT
from histoseek.errors import InputError
from histoseek.reports.privacy.deidentify import DeidentifyChoice

_FIXED = ("slide_id", "uri", "file_fingerprint", "width", "height", "spacing_um_per_px", "tile_count", "created")


def update_slides(
    archive: ArchiveFolder,
    changes: Mapping[str, Mapping[str, MetadataValue]],
    new_columns: Mapping[str, ColumnType],
    deidentify: DeidentifyChoice,
    erase_now: bool,
) -> list[SlideRecord]:
    """Change metadata of slides, by their ids, in one commit; new reports and patients' names are cleaned before.

    Raises UnknownSlide, and InputError for columns and values that can't be set: then nothing is changed.
    """
    require_changes(changes)
    changes = {
        slide_id: {column: make_plain(column, value) for column, value in values.items()}
        for slide_id, values in changes.items()
    }
    for slide_id, values in changes.items():
        require_text(slide_id, values)
    types = make_column_types(new_columns)
    with archive.writing(erase_now=erase_now):
        records = [slide.record for slide in archive.store.get(list(changes))] if archive.space else []
        storable, removed = clean_many(records, changes, deidentify)
        changed = _change(archive, storable, types)
        reports = sum(bool(values.get("report")) for values in changes.values())
        if reports:
            counts = {count.kind.value: count.count for count in removed}
            Journal(archive.layout).record_reports(reports, bool(deidentify), counts)
    return changed


def _change(
    archive: ArchiveFolder, changes: Mapping[str, Mapping[str, MetadataValue]], new_columns: Mapping[str, pa.DataType]
) -> list[SlideRecord]:
    """In one commit, while the write lock is held; what was there before waits to be erased."""
    ids = list(changes)
    slides = archive.store.get(ids) if archive.space else [archive.get(slide_id) for slide_id in ids]
    types = archive.store.metadata_types()
    added = choose_new_columns(new_columns, types)
    changed = [apply_changes(slide, changes[slide.record.slide_id], {**types, **added}) for slide in slides]
    new_reports = {slide_id for slide_id, values in changes.items() if "report" in values}
    completed = archive.complete([_forget_report(s) if s.record.slide_id in new_reports else s for s in changed])
    archive.store.ensure_columns(added)
    note_pending(archive.layout, replaced=len(completed))
    archive.store.upsert(completed)
    return [slide.record for slide in changed]


def _forget_report(slide: StoredSlide) -> StoredSlide:
    """A slide whose report is new, without what was read from the last one."""
    return replace(slide, language=LanguageVectors()).renew(REPORT, LANGUAGE)


def apply_changes(
    slide: StoredSlide, changes: Mapping[str, MetadataValue], types: Mapping[str, pa.DataType]
) -> StoredSlide:
    """A slide with changed metadata; types: of the archive's columns.

    Raises InputError for a column that is not there or can't be set, and for a value that does not fit.
    """
    for column in changes:
        if column in _FIXED or column == "updated":
            raise InputError(f"column {column}", "is set by the archive itself", "Index the slide again")
        if column not in types:
            known = ", ".join(name for name in types if name not in (*_FIXED, "updated"))
            raise InputError(f"column {column}", "the archive has no such column", f"The columns are: {known}")
    cast = {column: cast_value(column, value, types[column]) for column, value in changes.items()}
    own: dict[str, Any] = {name: value for name, value in cast.items() if name in RECORD_COLUMNS}
    extra = {**slide.record.extra, **{name: value for name, value in cast.items() if name not in own}}
    return replace(slide, record=replace(slide.record, **own, extra=extra, updated=datetime.now(UTC)))
