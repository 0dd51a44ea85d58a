"""A store made anew from the rows of a damaged one that can be read, in a folder of its own, taken over in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.journal import Journal
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.manifest import write_manifest
from histoseek.archive.schema import StoredSlide
from histoseek.archive.space_folders import remove_space
from histoseek.archive.stores.registry import create_slides
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import DamagedArchive
from histoseek.files import as_archive_errors, make_folder, write_atomic
from histoseek.progress import Reporter

_BATCH = 64


def rebuild_store(archive: ArchiveFolder, reporter: Reporter) -> int:
    """Move all rows that can be read to a new store with new indices, and say how many; the write lock is held.

    What is known to be altered stays marked so. Raises DamagedArchive, with nothing changed, when no row can be read.
    """
    old, space = archive.store.snapshot(), archive.require_space()
    layout = replace(archive.layout, number=archive.manifest.number + 1)
    with as_archive_errors(archive.path):
        remove_space(layout)
        make_folder(layout.space)
        _copy_files(archive.layout, layout)
        new = create_slides(layout, space.dimension, space.mosaic_dimension)
    new.ensure_columns(old.metadata_types())
    new.ensure_vectors(archive.language.dimensions)
    if old.word_tiles.tower:
        new.word_tiles.ensure(old.word_tiles.tower)
    rows, batch = 0, []
    for slide in old.salvage():
        batch.append(slide)
        if len(batch) == _BATCH:
            rows, batch = rows + _move(new, batch, reporter), []
    rows += _move(new, batch, reporter)
    if not rows:
        raise DamagedArchive(archive.layout.store, "none of its rows can be read")
    new.set_analyser(old.analyser)
    new.set_record_analyser(old.record_analyser)
    new.optimize()
    write_manifest(layout, replace(archive.manifest, number=layout.number))
    Journal(layout).record_switch(space.fingerprint)
    return rows


def _move(store: SlideTable, slides: Sequence[StoredSlide], reporter: Reporter) -> int:
    """Once each: a damaged index may have let a slide in twice."""
    store.upsert(list({slide.record.slide_id: slide for slide in slides}.values()))
    reporter.advance(len(slides))
    return len(slides)


def _copy_files(old: ArchiveLayout, new: ArchiveLayout) -> None:
    """All that belongs to the space beside its store."""
    for path in old.space.iterdir():
        if path.is_file() and path != old.target:
            write_atomic(new.space / path.name, path.read_bytes())
