"""The cached features of an archive's slides, from one place to another."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.moving.files import ArchiveFiles, name_file, read_files
from histoseek.archive.remote.base import FileStamp
from histoseek.encoders.bag import sidecar_path
from histoseek.progress import Reporter

_AT_ONCE = 8
_LISTED_AT_ONCE = 10_000
_SIDECAR = ".json"


@dataclass(frozen=True, slots=True)
class SlideBags:
    """The names of a slide's files of features, each sidecar after its bag, and the content they should be of."""

    names: tuple[str, ...]
    file_fingerprint: str


@dataclass(frozen=True, slots=True)
class BagCopy:
    """What copying did.

    files: those that there are; written: of them in this run; size: of all, in bytes; unsettled: slides whose features
    are missing, or by now of another state of their file; hashes: of what was read of the source, by name.
    """

    files: int = 0
    written: int = 0
    size: int = 0
    unsettled: int = 0
    hashes: Mapping[str, bytes] = field(default_factory=dict)

    def __add__(self, other: BagCopy) -> BagCopy:
        return BagCopy(
            self.files + other.files,
            self.written + other.written,
            self.size + other.size,
            self.unsettled + other.unsettled,
            {**self.hashes, **other.hashes},
        )


def list_bags(layout: ArchiveLayout, fingerprints: Mapping[str, str]) -> dict[str, list[SlideBags]]:
    """The features of some slides by the folder that they lie in; fingerprints: of the slides' files, by id."""
    folders = defaultdict(list)
    for slide_id, fingerprint in fingerprints.items():
        paths = [path for bag in layout.list_bags(slide_id) for path in (bag, sidecar_path(bag))]
        folders[name_file(layout, paths[0].parent) + "/"].append(
            SlideBags(tuple(name_file(layout, path) for path in paths), fingerprint)
        )
    return dict(sorted(folders.items()))


def copy_bags(
    old: ArchiveFiles, new: ArchiveFiles, folders: Mapping[str, Sequence[SlideBags]], reporter: Reporter
) -> BagCopy:
    """Let another place have the features of some slides, and of no others; those that it has are not copied again."""
    counts = []
    hashes: dict[str, bytes] = {}
    list_mine, list_there = _list_folders(old, folders), _list_folders(new, folders)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for folder, slides in folders.items():
            run = _FolderRun(old, new, list_mine(folder), list_there(folder))
            for done in pool.map(run.copy, slides):
                hashes.update(done.hashes)
                counts.append(replace(done, hashes={}))
                reporter.advance()
            new.delete(sorted(set(run.there) - {name for slide in slides for name in slide.names}))
    return replace(sum(counts, BagCopy()), hashes=hashes)


def _list_folders(
    files: ArchiveFiles, folders: Mapping[str, Sequence[SlideBags]]
) -> Callable[[str], Mapping[str, FileStamp]]:
    """What gives the files of a folder: of few slides those of all folders are asked for at once."""
    if not folders or sum(map(len, folders.values())) > _LISTED_AT_ONCE:
        return files.list_files
    found: dict[str, dict[str, FileStamp]] = {folder: {} for folder in folders}
    for name, stamp in files.list_files(f"{PurePosixPath(min(folders)).parent.as_posix()}/").items():
        folder = f"{name.rpartition('/')[0]}/"
        if folder in found:
            found[folder][name] = stamp
    return found.__getitem__


@dataclass(frozen=True, slots=True)
class _FolderRun:
    old: ArchiveFiles
    new: ArchiveFiles
    mine: Mapping[str, FileStamp]
    there: Mapping[str, FileStamp]

    def copy(self, slide: SlideBags) -> BagCopy:
        """Copy one slide's files."""
        names = [name for name in slide.names if name in self.mine]
        self.new.delete([name for name in slide.names if name in self.there and name not in self.mine])
        sidecars = read_files(self.old, [name for name in names if name.endswith(_SIDECAR)])
        hashes = {name: digest for name in names if (digest := self._copy_file(name, sidecars)) is not None}
        is_settled = any(_read_fingerprint(data) == slide.file_fingerprint for data in sidecars.values())
        size = sum(self.mine[name].bytes for name in names)
        return BagCopy(len(names), len(hashes), size, 0 if is_settled else 1, hashes)

    def _copy_file(self, name: str, sidecars: Mapping[str, bytes]) -> bytes | None:
        """The hash of what was copied, None of what is there already."""
        sidecar = PurePosixPath(name).with_suffix(_SIDECAR).as_posix()
        if self._has(name) and self._has(sidecar) and sidecars.get(sidecar) == self.new.read(sidecar):
            return None
        try:
            data = sidecars[name] if name in sidecars else self.old.read(name)
        except FileNotFoundError:
            return None
        self.new.write(name, data)
        return hashlib.sha256(data).digest()

    def _has(self, name: str) -> bool:
        return name in self.there and name in self.mine and self.there[name].bytes == self.mine[name].bytes


def compare_bags(
    old: ArchiveFiles,
    new: ArchiveFiles,
    folders: Mapping[str, Sequence[SlideBags]],
    hashes: Mapping[str, bytes],
    reporter: Reporter,
) -> list[str]:
    """The names of files of some slides' features that are not the same in both places, all of whose bytes are read;
    hashes: of the first's that are known already."""
    differing = []
    list_mine, list_there = _list_folders(old, folders), _list_folders(new, folders)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for folder, slides in folders.items():
            mine, there = list_mine(folder), list_there(folder)
            for slide in slides:
                names = [name for name in slide.names if name in mine or name in there]
                known = [hashes.get(name) for name in names]
                same = pool.map(partial(_is_same, old, new), names, known)
                differing += [name for name, is_same in zip(names, same, strict=True) if not is_same]
                reporter.advance()
    return differing


def _is_same(old: ArchiveFiles, new: ArchiveFiles, name: str, known: bytes | None) -> bool:
    return (known or _hash(old, name)) == _hash(new, name)


def _hash(files: ArchiveFiles, name: str) -> bytes | None:
    try:
        return hashlib.sha256(files.read(name)).digest()
    except FileNotFoundError:
        return None


def _read_fingerprint(sidecar: bytes) -> str | None:
    """What the bag beside a sidecar was made of, None where that can't be read."""
    try:
        return str(json.loads(sidecar)["origin"]["file_fingerprint"])
    except (ValueError, KeyError, TypeError):
        return None
