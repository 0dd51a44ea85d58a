"""Erasing: no byte of what was removed or replaced stays in the archive's folder."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePath

from histoseek.archive.bags import BagStore
from histoseek.archive.erasure.pending import clear_pending, note_pending
from histoseek.archive.erasure.scrub import scrub_journal, scrub_lists, scrub_reading
from histoseek.archive.erasure.tombstones import (
    mark_erased,
    read_or_begin_tombstones,
    read_tombstones,
    write_tombstones,
)
from histoseek.archive.journal import Journal
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import SlideRecord
from histoseek.archive.side_files import SET_ASIDE
from histoseek.archive.stores.registry import drop_slides, list_other_spaces
from histoseek.archive.stores.slides import SlideTable
from histoseek.files import as_archive_errors, fsync_path, unlink_durably
from histoseek.slides.sources.registry import source_name


def bury(layout: ArchiveLayout, records: Sequence[SlideRecord]) -> None:
    """Remember removed slides as digests, and name them no more, before they are taken out; the write lock is held.

    Raises DamagedArchive where those that were removed before can't be read: they would be forgotten.
    """
    tombstones = read_tombstones(layout).add(records)
    write_tombstones(layout, tombstones)
    names = {name for one in records for name in _list_names(one)}
    # Reasons may quote them.
    scrub_lists(layout, tombstones, names | {repr(name)[1:-1] for name in names})


def _list_names(record: SlideRecord) -> Iterator[str]:
    name = source_name(record.uri)
    yield from (record.slide_id, record.uri, name, PurePath(name).stem)
    if record.patient_id:
        yield record.patient_id


def drop(layout: ArchiveLayout, store: SlideTable, slide_ids: Sequence[str]) -> None:
    """Take slides out with their cached features, while the write lock is held; their bytes wait to be erased."""
    note_pending(layout, removed=len(slide_ids))
    store.delete(slide_ids)
    BagStore(layout).remove(slide_ids)
    # By their ids as the commits are, until all of them become digests together.
    Journal(layout).record_removal(slide_ids)


def erase(layout: ArchiveLayout, store: SlideTable | None) -> None:
    """Erase all that was removed or replaced; the write lock is held. store: None of an archive without slides.

    Killed, it is done again by the next call: what waits is forgotten last. Snapshots of others become outdated.
    Raises ArchiveReadOnly, DiskFull.
    """
    with as_archive_errors(layout.root):
        _remove_other_spaces(layout)
        if store is not None:
            store.erase()
            if layout.copy:
                layout.copy.forget_removed()
            # Words that are frequent in reports: measured again by the next search that needs them.
            unlink_durably([layout.chance])
            present = store.slides()
            scrub_journal(layout, read_or_begin_tombstones(layout), set(present))
            scrub_reading(layout, store, present)
            _remove_bags(layout, store)
        _remove_leftovers(layout)
    if layout.copy:
        mark_erased(layout)
    clear_pending(layout)


def _remove_other_spaces(layout: ArchiveLayout) -> None:
    """Those before the one in use, and one that is being made: its centre is also that of slides that are gone.

    Files of others that lie beside them stay.
    """
    for space in list_other_spaces(layout):
        if space.space.is_symlink():
            # Where it leads to is not the archive's own.
            space.space.unlink()
        else:
            drop_slides(space)
            if space.space.is_dir():
                shutil.rmtree(space.space)
        if layout.spaces.is_dir():
            fsync_path(layout.spaces)


def _remove_bags(layout: ArchiveLayout, store: SlideTable) -> None:
    """Cached features of slides that are not there, unless a killed run has just made them of others' files."""
    rows = store.columns(["slide_id", "file_fingerprint"], None)
    current = {bag for slide_id in rows["slide_id"].to_pylist() for bag in layout.list_bags(slide_id)}
    contents = set(rows["file_fingerprint"].to_pylist())
    left = list(dict.fromkeys(_list_left_bags(layout, current, contents)))
    BagStore(layout).remove_files(left)
    for folder in {bag.parent for bag in left}:
        fsync_path(folder)


def _list_left_bags(layout: ArchiveLayout, current: Collection[Path], contents: Collection[str]) -> Iterator[Path]:
    tombstones, bags = read_or_begin_tombstones(layout), BagStore(layout)
    for path in bags.list_files():
        bag = path.with_suffix(".safetensors")
        if bag in current:
            continue
        origin = bags.read_origin_at(bag)
        if origin is None or origin.file_fingerprint in contents or tombstones.has_content(origin.file_fingerprint):
            yield bag


def _remove_leftovers(layout: ArchiveLayout) -> None:
    """What processes that died were writing, and damaged files that were put aside; readers may be writing what they
    measured of chance."""
    for path in (*layout.root.rglob(".*.part"), *layout.root.rglob(f"*{SET_ASIDE}")):
        if path.is_dir():
            shutil.rmtree(path)
            fsync_path(path.parent)
        elif not path.name.startswith(f".{layout.chance.name}."):
            unlink_durably([path])
