"""Checking an archive: every row against its checksums, its space, its values, its features and its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import StoredSlide
from histoseek.archive.stores.base import NOT_OF_STORE
from histoseek.archive.stores.slides import UNREADABLE
from histoseek.archive.verification.folder_checks import find_foreign, find_orphans, list_folder_problems
from histoseek.archive.verification.lost_slides import list_lost
from histoseek.archive.verification.problems import Problem, Verification
from histoseek.archive.verification.slide_checks import SlideChecks
from histoseek.errors import HistoseekError
from histoseek.progress import Reporter, SilentReporter

_AT_ONCE = 128


def verify(archive: ArchiveFolder, deep: bool = False, reporter: Reporter | None = None) -> Verification:
    """Check every slide's row, its cached features and its file, and the archive's own files.

    deep: read every file of the store, make all signatures anew from the cached features, and read all reports anew.
    Raises DamagedArchive where it can't even be said which slides there are.
    """
    reporter = reporter or SilentReporter()
    problems = [*list_folder_problems(archive.layout)]
    ids: Sequence[str] = ()
    foreign = list(find_foreign(archive.layout))
    if archive.space:
        problems += _list_space_problems(archive)
        of_store, not_of_store = _check_store(archive, deep)
        problems, foreign = problems + of_store, foreign + not_of_store
        ids = archive.store.slides()
        checks = SlideChecks(archive, deep)
        for start in range(0, len(ids), _AT_ONCE):
            batch = ids[start : start + _AT_ONCE]
            problems += _check_slides(archive, checks, batch)
            reporter.advance(len(batch))
    if archive.space:
        problems += [Problem(one, "it was committed, and its row is gone", "lost") for one in list_lost(archive, ids)]
    problems += [Problem(slide_id, "appears more than once") for slide_id in _list_duplicates(ids)]
    return Verification(len(ids), tuple(problems), find_orphans(archive.layout, ids), tuple(foreign))


def _list_space_problems(archive: ArchiveFolder) -> Iterator[Problem]:
    """What the space is made with: centre or weights, and the maps into the shared space."""
    for load in (lambda: archive.signer, lambda: archive.language.alignment, lambda: archive.language.is_trained):
        try:
            load()
        except HistoseekError as error:
            yield Problem(None, f"{error.where.rpartition('/')[2]}: {error.what}", "space")


def _check_store(archive: ArchiveFolder, deep: bool) -> tuple[list[Problem], list[Path]]:
    """What is wrong with the store's files, and those that are none of its own."""
    faults = list(archive.store.list_faults(deep))
    foreign = [archive.layout.store / fault.removesuffix(NOT_OF_STORE) for fault in faults if NOT_OF_STORE in fault]
    wrong = [Problem(None, f"the store: {fault}", "store") for fault in faults if NOT_OF_STORE not in fault]
    return wrong, foreign


def _check_slides(archive: ArchiveFolder, checks: SlideChecks, slide_ids: Sequence[str]) -> Iterator[Problem]:
    try:
        slides = archive.store.get(slide_ids)
    except UNREADABLE:
        for slide_id in slide_ids:
            yield from _check_slide(archive, checks, slide_id)
        return
    for stored in slides:
        yield from _list_problems(checks, stored)


def _check_slide(archive: ArchiveFolder, checks: SlideChecks, slide_id: str) -> Iterator[Problem]:
    try:
        [stored] = archive.store.get([slide_id])
    except UNREADABLE:
        yield Problem(slide_id, "its row cannot be read", "row")
        return
    yield from _list_problems(checks, stored)


def _list_problems(checks: SlideChecks, stored: StoredSlide) -> Iterator[Problem]:
    for kind, what in checks.list_faults(stored):
        yield Problem(stored.record.slide_id, what, kind)


def _list_duplicates(ids: Sequence[str]) -> list[str]:
    return sorted({slide_id for slide_id, following in pairwise(ids) if slide_id == following})
