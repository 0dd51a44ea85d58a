"""Slides that came into an archive while its words were not at hand get their tiles in the space of words later."""

from __future__ import annotations

from dataclasses import replace

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.journal import Journal
from histoseek.progress import Reporter

_BATCH = 64


def complete_word_tiles(archive: ArchiveFolder, reporter: Reporter) -> tuple[str, ...]:
    """Project the tiles of slides that lack them, and of all after the words' weights changed; says what could not be.

    The write lock is held. Batches are committed one by one, and a run that is killed is continued by the next.
    """
    if archive.space is None or archive.words.encoder is None:
        return ()
    table = archive.store.word_tiles
    tower = archive.words.tower
    if tower is None:
        return (describe_missing_words(archive),) if table.list_missing() else ()
    is_other = table.tower not in ("", tower.weights_hash)
    slide_ids = archive.store.slides() if is_other else table.list_missing()
    with reporter.part("comparing tiles with words", len(slide_ids)) as part:
        for start in range(0, len(slide_ids), _BATCH):
            batch = slide_ids[start : start + _BATCH]
            slides = [replace(slide, word_tiles=None) for slide in archive.store.get(batch)]
            completed = archive.words.complete(slides, archive.store)
            made = [slide for slide in completed if slide.word_tiles is not None]
            archive.store.upsert(made)
            Journal(archive.layout).record_commit([slide.record.slide_id for slide in made])
            part.advance(len(batch))
    if archive.words.tower is None:
        return (describe_missing_words(archive),)
    archive.store.word_tiles.ensure(tower.weights_hash)
    return ()


def describe_missing_words(archive: ArchiveFolder) -> str:
    """Why the words of the tile encoder can't be used here, and what to do."""
    return f"words in the tile space are not available: {archive.words.fault}"
