"""The checks of an archive's folder: the files beside the store, logs, leftovers, and what is none of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from histoseek.archive.bags import BagStore
from histoseek.archive.erasure.pending import read_pending
from histoseek.archive.erasure.tombstones import read_tombstones
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.manifest import list_manifest_faults
from histoseek.archive.remote.copy_index import OF_COPY
from histoseek.archive.side_files import SET_ASIDE, DamagedFile, list_damaged_files
from histoseek.archive.verification.problems import Problem
from histoseek.encoders.bag import sidecar_path
from histoseek.errors import DamagedArchive
from histoseek.files import parse_checked_line

_OWN = re.compile(
    r"""archive(-copy)?\.json | journal\.jsonl | refused\.jsonl | unmatched\.json | reading\.json | lock
    | erasure\.json | tombstones\.json
    | bags/[0-9a-f]{2}/[0-9a-f]{32}(\.context)?\.(safetensors|json)
    | spaces/\d{4,}/(context_)?centre\.npy
    | spaces/\d{4,}/(weights|alignment|tuning|graph|novelty)\.safetensors
    | spaces/\d{4,}/(weights|target|calibration|chance|fusion)\.json
    | spaces/\d{4,}/store/(slides\.lance|ledger|ranking|set-aside-[^/]*)/.*""",
    re.VERBOSE,
)
"""The files of an archive, as docs/archive.md lists them."""

_PART = re.compile(r"\..*\.part")


def list_folder_problems(layout: ArchiveLayout) -> Iterator[Problem]:
    """What is wrong with the files beside the store."""
    yield from (Problem(None, fault, "side file") for fault in list_manifest_faults(layout))
    damaged = *list_damaged_files(layout), *list_damaged_removals(layout)
    yield from (Problem(None, file.describe(), "side file") for file in damaged)
    for path in (layout.journal, layout.refused):
        lines = len(read_log(path)[1])
        if lines:
            yield Problem(None, f"{path.name}: {lines} lines are not what was written", "log")


def list_damaged_removals(layout: ArchiveLayout) -> Iterator[DamagedFile]:
    """The damaged files of what is remembered of removed slides, which no command puts aside unless it is told to."""
    pending = read_pending(layout)
    if pending is not None and pending.is_unknown:
        lost = "what waits to be erased is taken to be due"
        yield DamagedFile(layout.erasure, lost, "The next command that writes erases it")
    try:
        read_tombstones(layout)
    except DamagedArchive:
        lost = "`histoseek index` of folders refuses to go on, as it can't pass over slides that were removed"
        remedy = "`histoseek verify --repair` puts it aside; folders then bring such slides back"
        yield DamagedFile(layout.tombstones, lost, remedy)


def read_log(path: Path) -> tuple[list[bytes], list[bytes]]:
    """The whole lines of a log, with their ends, and those that are not what was written."""
    whole: list[bytes] = []
    damaged: list[bytes] = []
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            try:
                parse_checked_line(line.removesuffix(b"\n"))
            except ValueError:
                damaged.append(line)
            else:
                whole.append(line)
    return whole, damaged


def find_orphans(layout: ArchiveLayout, slide_ids: Sequence[str]) -> tuple[Path, ...]:
    """Cached features of no slide, and what killed runs and repairs have left."""
    bags = {bag for slide_id in slide_ids for bag in layout.list_bags(slide_id)}
    current = bags | {sidecar_path(bag) for bag in bags}
    return tuple(
        path
        for path in _walk(layout)
        if path.name.endswith(SET_ASIDE)
        or _PART.fullmatch(path.name)
        or (path.is_relative_to(layout.bags) and _is_own(layout, path) and path not in current)
    )


def find_foreign(layout: ArchiveLayout) -> tuple[Path, ...]:
    """Files in the folder that are none of the archive's."""
    return tuple(
        path
        for path in _walk(layout)
        if not (_is_own(layout, path) or path.name.endswith(SET_ASIDE) or _PART.fullmatch(path.name))
    )


def _is_own(layout: ArchiveLayout, path: Path) -> bool:
    return _OWN.fullmatch(path.relative_to(layout.root).as_posix()) is not None


def _walk(layout: ArchiveLayout) -> list[Path]:
    """All files of the archive's own; of bags on a server also those that are not here."""
    here = {path for path in layout.root.rglob("*") if not path.is_dir()}
    if layout.address:
        here = {path for path in here if not path.is_relative_to(layout.bags) and path.name not in OF_COPY}
        here |= set(BagStore(layout).list_files())
    return sorted(here)
