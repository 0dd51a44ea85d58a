"""Walking folders for files of some endings, with an account of everything that is passed over.

Links to folders are followed, each real folder is walked once, and by its own path where it has one in the walk.
Memory and time go by the number of entries: folders are asked for their identity, files for nothing.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SLIDE_FORMATS = """
afi bsv czi dyqx fff hed i2syntax ibl ims isyntax j2c j2k jp2 jpf jpx kfb lif lof lsm mds mdsx nd2 oib oif oir qptiff
sdpc stk tmap tron vsi zvi
"""
_ARCHIVES = "7z bz2 gz rar tar tbz tgz txz xz z zip zst"
SLIDES_NOT_READ = frozenset(f".{ending}" for ending in _SLIDE_FORMATS.split())
_PACKED = frozenset(f".{ending}" for ending in _ARCHIVES.split())

NOT_READ = "(not read by histoseek)"
PACKED = "(unpack first)"
HIDDEN_FILES, HIDDEN_FOLDERS = "hidden files", "hidden folders"
SYSTEM_FOLDERS = "folders of thumbnails and deleted files"
UNREADABLE_FOLDERS = "unreadable folders"
BROKEN_LINKS = "broken links"
LINKS_UP = "looping links"
REMOVED_EARLIER = "removed earlier"
SPECIAL_FILES = "special files (sockets, pipes, devices)"
MIRAX_FOLDERS, MIRAX_FILES = "data folders of MIRAX slides", "other files in data folders of MIRAX slides"

_SYSTEM_NAMES = frozenset(
    (
        *("@eadir", "@recycle", "#recycle", "@recently-snapshot", "#snapshot", "@tmp", "lost+found"),
        *("$recycle.bin", "recycler", "system volume information", "__macosx", "network trash folder"),
        *("temporary items", "found.000"),
    )
)
"""What file servers and systems put between other files, in lower case: thumbnails, deleted files, older states."""
_OTHER = "other files"
_PLAIN_ENDING = re.compile(r"\.[a-z][a-z0-9]{0,7}")
_MOST_ENDINGS = 5
"""Endings of other files that are counted apart; further ones are lumped together."""

_MIRAX_DATA = re.compile(r"slidedat\.ini|index\.dat|data\d+\.dat", re.IGNORECASE)


def _has_no_parts(name: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class FileKinds:
    """What is looked for: files of these endings (in lower case, with their dot).

    unread: endings of what is wanted but can't be read; others: what is said of all other files, "no slides";
    has_parts: whether a file of this name keeps data in a folder beside it, of its own name without the ending;
    folders: endings of folders that are not looked into, as they may be wanted as a whole; whole: whether a folder of
    such an ending, given by its path, is.
    """

    endings: Collection[str]
    others: str
    unread: Collection[str] = ()
    has_parts: Callable[[str], bool] = _has_no_parts
    folders: Collection[str] = ()
    whole: Callable[[str], bool] = _has_no_parts


@dataclass
class FolderContent:
    """What lies in a folder and below: files of the wanted endings, how many entries were passed over and why, and the
    unreadable folders and broken links among them by path.

    seen_before: a folder in it was walked already, for another one.
    """

    files: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    broken_links: list[str] = field(default_factory=list)
    seen_before: bool = False


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    content: FolderContent
    mirax: bool = False
    linked: bool = False


def walk_folders(folders: Sequence[str], kinds: FileKinds) -> list[FolderContent]:
    """The content of each of some folders; a folder that lies in two of them belongs to the first."""
    walk = _Walk(kinds)
    contents = [FolderContent() for _ in folders]
    walk.take([_Folder(path, content) for path, content in zip(folders, contents, strict=True)])
    for content in contents:
        _lump_endings(content.passed_over, kinds.others)
    return contents


def describe_passed_over(passed_over: Mapping[str, int]) -> str:
    """Counts as a list: "3 .czi (not read by histoseek), 1 unreadable folder"; slide formats first."""
    ranked = sorted(passed_over.items(), key=lambda item: (_rank(item[0]), -item[1], item[0]))
    return ", ".join(f"{count:,} {_to_singular(reason) if count == 1 else reason}" for reason, count in ranked)


def is_system_folder(name: str) -> bool:
    """Whether a folder of this name is one of a system's own: of thumbnails, deleted files or older states."""
    return name.lower() in _SYSTEM_NAMES


class _Walk:
    """One walk; links to folders wait until all folders that lie where they are walked have been."""

    def __init__(self, kinds: FileKinds) -> None:
        self._kinds = kinds
        self._visited: dict[tuple[int, int], FolderContent] = {}
        self._links: list[_Folder] = []

    def take(self, folders: Sequence[_Folder]) -> None:
        """Walk folders, then what they link to, then what that links to."""
        while folders:
            for folder in folders:
                waiting = [folder]
                while waiting:
                    waiting.extend(reversed(self._list_folders(waiting.pop())))
            folders, self._links = self._links, []

    def _list_folders(self, folder: _Folder) -> list[_Folder]:
        """The folders in a folder, whose files are noted."""
        content = folder.content
        try:
            status = Path(folder.path).stat()
            identity = status.st_dev, status.st_ino
            if identity in self._visited:
                content.seen_before |= self._visited[identity] is not content
                return []
            if folder.linked and _leads_up(folder.path):
                content.passed_over[LINKS_UP] += 1
                return []
            with os.scandir(folder.path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            content.passed_over[UNREADABLE_FOLDERS] += 1
            content.unreadable.append((folder.path, error.strerror or type(error).__name__))
            return []
        self._visited[identity] = content
        is_data = folder.mirax and any(_MIRAX_DATA.fullmatch(entry.name) for entry in listed)
        if is_data:
            content.passed_over[MIRAX_FOLDERS] += 1
        owners = {entry.name.rpartition(".")[0] for entry in listed if self._kinds.has_parts(entry.name)}
        return list(self._sort_entries(listed, content, owners, is_data))

    def _sort_entries(
        self, listed: Sequence[os.DirEntry[str]], content: FolderContent, owners: Collection[str], is_data: bool
    ) -> Iterator[_Folder]:
        for entry in listed:
            kind = _find_kind(entry)
            if kind == "folder":
                if _find_ending(entry.name) in self._kinds.folders and not entry.name.startswith("."):
                    self._note_whole(entry, content)
                elif self._is_walked(entry.name, content.passed_over):
                    found = _Folder(entry.path, content, entry.name in owners, entry.is_symlink())
                    if found.linked:
                        self._links.append(found)
                    else:
                        yield found
            elif not is_data:
                self._note_file(entry, kind, content)
            elif kind == "file" and _find_ending(entry.name) in self._kinds.endings:
                content.passed_over[MIRAX_FILES] += 1

    def _is_walked(self, name: str, passed_over: Counter[str]) -> bool:
        """Whether to look into a folder."""
        if name.startswith("."):
            passed_over[HIDDEN_FOLDERS] += 1
            return False
        if is_system_folder(name):
            passed_over[SYSTEM_FOLDERS] += 1
            return False
        ending = _find_ending(name)
        if ending in self._kinds.unread:
            passed_over[f"{ending} {NOT_READ}"] += 1
            return False
        return True

    def _note_whole(self, entry: os.DirEntry[str], content: FolderContent) -> None:
        if self._kinds.whole(entry.path):
            content.files.append(entry.path)
        else:
            content.passed_over[f"{_find_ending(entry.name)} folders ({self._kinds.others})"] += 1

    def _note_file(self, entry: os.DirEntry[str], kind: str, content: FolderContent) -> None:
        ending = _find_ending(entry.name)
        if entry.name.startswith("."):
            content.passed_over[HIDDEN_FILES] += 1
        elif kind == "broken":
            content.passed_over[BROKEN_LINKS] += 1
            content.broken_links.append(entry.path)
        elif kind == "special":
            content.passed_over[SPECIAL_FILES] += 1
        elif ending in self._kinds.endings:
            content.files.append(entry.path)
        elif ending in self._kinds.unread:
            content.passed_over[f"{ending} {NOT_READ}"] += 1
        elif ending in _PACKED:
            content.passed_over[f"{ending} {PACKED}"] += 1
        else:
            name = ending if _PLAIN_ENDING.fullmatch(ending) else _OTHER
            content.passed_over[f"{name} ({self._kinds.others})"] += 1


def _find_kind(entry: os.DirEntry[str]) -> str:
    """ "folder", "file", "broken" for a link that can't be followed, "special" for anything else."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
    except OSError:
        return "broken"
    return "broken" if entry.is_symlink() and not Path(entry.path).exists() else "special"


def _find_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def _leads_up(link: str) -> bool:
    """Whether a link leads to a folder that it lies in itself."""
    return Path(link).parent.resolve().is_relative_to(Path(link).resolve())


def _lump_endings(passed_over: Counter[str], others: str) -> None:
    """Count only the most frequent endings of other files apart."""
    endings = [reason for reason, _ in passed_over.most_common() if reason[0] == "." and reason.endswith(f"({others})")]
    for reason in endings[_MOST_ENDINGS:]:
        passed_over[f"{_OTHER} ({others})"] += passed_over.pop(reason)


def _rank(reason: str) -> int:
    """What may well be slides comes first, then what may hold some, then the rest."""
    if reason.endswith((NOT_READ, PACKED)):
        return 0
    if reason in (UNREADABLE_FOLDERS, BROKEN_LINKS, LINKS_UP):
        return 1
    if reason.startswith(_OTHER):
        return 4
    return 3 if reason[0] == "." else 2


def _to_singular(reason: str) -> str:
    """ "folders of" to "folder of": of the first noun only."""
    return re.sub(r"^((?:[a-z]+ )*?)(folder|file|link)s\b", r"\1\2", reason)
