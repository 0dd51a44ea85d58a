"""Reports that an older analyser read, or before it was known what is boilerplate, are read anew."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from histoseek.archive.erasure.pending import note_pending
from histoseek.archive.filters.expression import HAS_REPORT
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.journal import Journal
from histoseek.archive.reading_file import ReadingState, read_reading_state, write_reading_state
from histoseek.archive.report_index import make_analyser_mark, make_record_mark
from histoseek.archive.schema import PLACES_FIELD, SlideRecord
from histoseek.progress import Reporter
from histoseek.reports.cleaning.furniture import split_pieces
from histoseek.reports.facts.boilerplate import find_boilerplate

_BATCH = 64
_RECORDS_AT_ONCE = 5000
_ROWS_AT_ONCE = 20_000
"""Of checksums in one commit, which takes seconds in a large table however few they are."""


def update_boilerplate(archive: ArchiveFolder, records: Sequence[SlideRecord], new_texts: Mapping[str, str]) -> None:
    """Find out what is boilerplate before new reports are read, and which of the archive's were read without knowing.

    records: all that the archive holds; new_texts: reports by the uri of their slide.
    """
    stored = {record.uri: record.report for record in records if record.report}
    if all(stored.get(uri) == text for uri, text in new_texts.items()):
        return
    state = read_reading_state(archive.layout)
    boilerplate = tuple(sorted(find_boilerplate({**stored, **new_texts}.values())))
    if boilerplate != state.boilerplate:
        changed = set(boilerplate).symmetric_difference(state.boilerplate)
        outdated = {record.slide_id for record in records if _holds_any(record.report or "", changed)}
        write_reading_state(archive.layout, ReadingState(boilerplate, tuple(sorted({*outdated, *state.outdated}))))


def _holds_any(report: str, pieces: Collection[str]) -> bool:
    return any(key in pieces for _, key in split_pieces(report))


def reread_reports(archive: ArchiveFolder, reporter: Reporter) -> int:
    """Read what has to be read anew, and say how many reports those were; the write lock is held.

    Batches are committed one by one, and a run that is killed is continued by the next. Vectors stay as they are.
    """
    if archive.space is None:
        return 0
    _reread_records(archive, reporter)
    _add_checksums(archive, reporter)
    mark, state = make_analyser_mark(), read_reading_state(archive.layout)
    is_older = archive.store.analyser != mark
    if not (is_older or state.outdated):
        return 0
    if is_older and state.analyser != mark:
        state = replace(state, analyser=mark, upto="")
    with_report = archive.store.slides(HAS_REPORT)
    outdated = with_report if is_older else sorted({*with_report} & {*state.outdated})
    slide_ids = [slide_id for slide_id in outdated if slide_id > state.upto]
    journal = Journal(archive.layout)
    if slide_ids:
        archive.store.ensure_columns({PLACES_FIELD.name: PLACES_FIELD.type})
    with reporter.part("reading reports anew", len(slide_ids)) as part:
        for start in range(0, len(slide_ids), _BATCH):
            batch = slide_ids[start : start + _BATCH]
            archive.store.upsert(archive.language.read_reports(archive.store.get(batch)))
            state = replace(state, upto=batch[-1])
            write_reading_state(archive.layout, state)
            journal.record_commit(batch)
            part.advance(len(batch))
    if is_older:
        archive.store.set_analyser(mark)
    write_reading_state(archive.layout, ReadingState(state.boilerplate))
    if slide_ids:
        archive.store.optimize()
    return len(slide_ids)


def _add_checksums(archive: ArchiveFolder, reporter: Reporter) -> None:
    """Guard the rows of older versions as they are; what those left behind of others is erased with the old rows."""
    slide_ids = archive.store.list_unguarded()
    if not slide_ids:
        return
    note_pending(archive.layout, replaced=len(slide_ids))
    with reporter.part("adding checksums", len(slide_ids)) as part:
        for start in range(0, len(slide_ids), _ROWS_AT_ONCE):
            batch = slide_ids[start : start + _ROWS_AT_ONCE]
            archive.store.add_checksums(batch)
            part.advance(len(batch))
    archive.store.optimize()


def _reread_records(archive: ArchiveFolder, reporter: Reporter) -> None:
    """Read metadata and names into tokens where an older version did, or none."""
    mark = make_record_mark()
    if archive.store.record_analyser == mark:
        return
    slide_ids = archive.store.slides()
    with reporter.part("reading metadata anew", len(slide_ids)) as part:
        for start in range(0, len(slide_ids), _RECORDS_AT_ONCE):
            batch = slide_ids[start : start + _RECORDS_AT_ONCE]
            archive.store.read_records(batch)
            part.advance(len(batch))
    archive.store.set_record_analyser(mark)
    archive.store.optimize()
