"""Mending an archive from what it still has: cached features, whole rows, and its journal. It never guesses.

What nothing else knows (a changed diagnosis, a changed report) stays as it is, and stays named as a problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.journal import Journal
from histoseek.archive.schema import LanguageVectors, StoredSlide
from histoseek.archive.side_files import SET_ASIDE, set_aside
from histoseek.archive.space.signing import sign_cached
from histoseek.archive.stores.checksums import LANGUAGE, METADATA, REPORT, SIGNATURE
from histoseek.archive.stores.slides import UNREADABLE
from histoseek.archive.verification.folder_checks import (
    find_orphans,
    list_damaged_removals,
    list_folder_problems,
    read_log,
)
from histoseek.archive.verification.problems import Mend, Problem, ProblemKind, Verification
from histoseek.archive.verification.rebuild import rebuild_store
from histoseek.archive.verification.verify import verify
from histoseek.errors import BadFeatureFile, DamagedArchive, EncoderError
from histoseek.files import as_archive_errors, write_atomic
from histoseek.progress import Reporter, SilentReporter

_BATCH = 32

_Kinds = Mapping[str, Collection[ProblemKind]]


def check(archive: ArchiveFolder, deep: bool, is_repair: bool, reporter: Reporter | None = None) -> Verification:
    """`verify` of one state of an archive, or `repair`; raises as these do."""
    if is_repair:
        return repair(archive, deep, reporter)
    return archive.read(lambda view: verify(view, deep, reporter))


def repair(archive: ArchiveFolder, deep: bool = False, reporter: Reporter | None = None) -> Verification:
    """Check an archive, mend what can be mended, and check it again; says what was done and what is left.

    Raises ArchiveBusy, ArchiveReadOnly, DiskFull, and DamagedArchive when no row can be read.
    """
    reporter = reporter or SilentReporter()
    side = [problem for problem in list_folder_problems(archive.layout) if problem.kind == "side file"]
    with archive.writing():
        # What waits to be erased is not forgotten: the end of this very command erases it.
        for file in list_damaged_removals(archive.layout):
            if file.path == archive.layout.tombstones:
                set_aside(archive.layout, file)
        mended = [Mend(None, archive.repaired)] if archive.repaired else []
        mended += [Mend(None, f"put aside or written anew: {problem.what}") for problem in side]
        mended += _mend_logs(archive)
        if archive.space:
            problems = _find_problems(archive, deep)
            if any(problem.kind in ("store", "row") for problem in problems):
                mended += _mend_store(archive, reporter)
                problems = _find_problems(archive, deep)
            mended += _mend_slides(archive, problems)
            mended += _note_lost(archive, problems)
        mended += _remove_leftovers(archive)
    return replace(verify(archive, deep, reporter), mended=tuple(mended))


def _find_problems(archive: ArchiveFolder, deep: bool) -> Sequence[Problem]:
    try:
        return verify(archive, deep).problems
    except DamagedArchive as error:
        return [Problem(None, error.what, "store")]


def _mend_logs(archive: ArchiveFolder) -> Iterator[Mend]:
    """Leave out lines that are not what was written; what they said is not known any more."""
    for path in (archive.layout.journal, archive.layout.refused):
        whole, damaged = read_log(path)
        if damaged:
            with as_archive_errors(archive.path):
                write_atomic(path, b"".join(whole))
            yield Mend(None, f"{path.name}: {len(damaged)} lines that were not what was written are left out")


def _mend_store(archive: ArchiveFolder, reporter: Reporter) -> Iterator[Mend]:
    rows = rebuild_store(archive, reporter)
    yield Mend(None, f"the store is made anew with its indices, from {rows} rows that can be read")


def _note_lost(archive: ArchiveFolder, problems: Sequence[Problem]) -> Iterator[Mend]:
    lost = [problem.slide_id for problem in problems if problem.kind == "lost" and problem.slide_id]
    if lost:
        Journal(archive.layout).record_loss(lost)
    yield from (Mend(slide_id, "its row could not be read and is gone: index its file again") for slide_id in lost)


def _mend_slides(archive: ArchiveFolder, problems: Sequence[Problem]) -> Iterator[Mend]:
    kinds: dict[str, set[ProblemKind]] = defaultdict(set)
    for problem in problems:
        if problem.slide_id is not None:
            kinds[problem.slide_id].add(problem.kind)
    rows = sorted(slide_id for slide_id, own in kinds.items() if own & {"signature", "language", "words"})
    for start in range(0, len(rows), _BATCH):
        with suppress(*UNREADABLE):
            yield from _mend_rows(archive, rows[start : start + _BATCH], kinds)
    for slide_id in sorted(slide_id for slide_id, own in kinds.items() if "bag" in own):
        # Whole features of another state of a file are better than none as long as the file is out of reach.
        if not (
            "file" in kinds[slide_id] and all(map(archive.bags.is_whole_at, list_expected_bags(archive, slide_id)))
        ):
            yield from _remove_bag(archive, slide_id)


def _mend_rows(archive: ArchiveFolder, slide_ids: Sequence[str], kinds: _Kinds) -> Iterator[Mend]:
    """Sign from features, read from reports, and take words from metadata, where these are whole themselves."""
    slides = archive.store.get(slide_ids)
    mended = [_renew_language(_sign(archive, slide, kinds), kinds) for slide in slides]
    try:
        completed = archive.complete(mended)
    except EncoderError:
        # Without its text encoder only what is no vector of a text can be made.
        completed = archive.complete([_sign(archive, slide, kinds) for slide in slides])
    archive.store.upsert(completed)
    Journal(archive.layout).record_commit(slide_ids)
    for before, after in zip(slides, completed, strict=True):
        made = [part for part in (SIGNATURE, LANGUAGE) if getattr(before, part) != getattr(after, part)]
        parts = " and ".join(_MADE[part] for part in made) or "the words of its metadata"
        yield Mend(before.record.slide_id, f"made anew: {parts}")


_MADE = {SIGNATURE: "its vectors, from its cached features", LANGUAGE: "what searches compare of its report"}


def _sign(archive: ArchiveFolder, slide: StoredSlide, kinds: _Kinds) -> StoredSlide:
    origin = archive.bags.load_origin(slide.record.slide_id)
    is_wanted = "signature" in kinds[slide.record.slide_id]
    if not is_wanted or origin is None or origin.file_fingerprint != slide.record.file_fingerprint:
        return slide
    try:
        signature = sign_cached(archive.layout, archive.signer, slide.record.slide_id)
    except BadFeatureFile:
        return slide
    return replace(slide, signature=signature, word_tiles=None).renew(SIGNATURE)


def _renew_language(slide: StoredSlide, kinds: _Kinds) -> StoredSlide:
    if "language" not in kinds[slide.record.slide_id] or REPORT in slide.altered:
        return slide
    return replace(slide, language=LanguageVectors()).renew(LANGUAGE)


def _remove_bag(archive: ArchiveFolder, slide_id: str) -> Iterator[Mend]:
    """Take damaged features away, so that the next run makes them anew, unless they alone say what they are of."""
    if METADATA in archive.store.get([slide_id])[0].altered or not archive.bags.has_files(slide_id):
        return
    archive.bags.remove([slide_id])
    yield Mend(slide_id, "its damaged features are taken away: index its file again")


def _remove_leftovers(archive: ArchiveFolder) -> Iterator[Mend]:
    """Remove what is of no use to anybody; whole features of slides that a killed run did not commit stay."""
    ids = archive.store.slides() if archive.space else ()
    for path in find_orphans(archive.layout, ids):
        is_bag = path.is_relative_to(archive.layout.bags) and not path.name.startswith(".")
        if path.name.endswith(SET_ASIDE) or (is_bag and archive.bags.is_whole_at(path.with_suffix(".safetensors"))):
            continue
        if is_bag:
            archive.bags.remove_files([path.with_suffix(".safetensors")])
        path.unlink(missing_ok=True)
        yield Mend(None, f"a leftover of a killed run is removed: {path.name}")


def list_expected_bags(archive: ArchiveFolder, slide_id: str) -> tuple[Path, ...]:
    """Where the bags lie that a slide of this archive must have."""
    bags = archive.layout.list_bags(slide_id)
    return bags if archive.recipe.context else bags[:1]
