"""Slides that the journal says were committed, and that are in the store no more although nobody removed them."""

from __future__ import annotations

from collections.abc import Collection

from histoseek.archive.erasure.scrub import name_removed
from histoseek.archive.erasure.tombstones import Tombstones, read_tombstones
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.journal import list_committed
from histoseek.errors import DamagedArchive


def list_lost(archive: ArchiveFolder, present: Collection[str]) -> list[str]:
    """Their ids, sorted; present: those of the state that is checked. None where it can't be known what was removed."""
    try:
        missing = _list_committed(archive, read_tombstones(archive.layout)) - set(present)
        if not missing:
            return []
        # The journal may be of a later state than what is checked; a slide is in the store before it is in there.
        missing -= set(ArchiveFolder.open(archive.place.full_address).store.slides())
        tombstones = read_tombstones(archive.layout)
    except DamagedArchive:
        return []
    return sorted(one for one in missing if not tombstones.has_id(one))


def _list_committed(archive: ArchiveFolder, tombstones: Tombstones) -> set[str]:
    committed = list_committed(archive.layout, lambda slide_id: name_removed(tombstones, slide_id))
    return {one for one in committed if one != name_removed(tombstones, one)}
