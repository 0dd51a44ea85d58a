"""What a power cut can leave of a folder, given what a process did to it: recorded operations, and legal states.

A file holds at least what was written to it before its last fsync, a folder at least the entries before its last fsync;
anything later may be there or not, data in part, with zeros in the place of what did not reach the disk. Three kinds of
disks: `all` (nothing is lost, as after kill -9), `ordered` (names reach the disk in the order of the calls, as on
journalling file systems, data whenever), `any` (each folder and each file by itself: all that POSIX promises).
"""

from __future__ import annotations

import hashlib
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

RECORDER = Path(__file__).with_name("record_writes.c")
MARK = ".acknowledged"
"""A folder that the recorded process makes once what it was asked to do counts; it is in no state."""

_HEAD = struct.Struct("<cQQQQQ")
Tree = Mapping[str, bytes]
"""The files of a folder by their paths in it; folders end with a slash."""


def build_recorder(folder: Path) -> Path | None:
    """Compile the recorder; None where there is no C compiler or the system is another."""
    library = folder / "record_writes.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(RECORDER)]
    return library if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None


@dataclass(eq=False)
class Node:
    """A file or a folder: what it held when recording began, and the numbers of its operations."""

    is_folder: bool
    content: bytes = b""
    entries: dict[str, Node] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    flushes: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Operation:
    """A change of a file (data at a place, or a size) or of folders (names that come and go together)."""

    number: int
    data: bytes | None = None
    place: int = 0
    size: int | None = None
    names: tuple[tuple[Node, str, Node | None], ...] = ()


class Recording:
    """The operations of a process on a folder, by files and folders."""

    def __init__(self, root: Path, before: Tree, inodes: Mapping[int, str], log: bytes) -> None:
        """before: what the folder held; inodes: the paths of its files and folders by number."""
        self.root = str(root.resolve())
        self.top = Node(is_folder=True)
        self._live: dict[Node, dict[str, Node]] = {self.top: {}}
        self._by_inode: dict[int, Node] = {}
        self.mark: int | None = None
        self.unknown: list[str] = []
        for path in sorted(before, key=lambda path: path.count("/")):
            self._place(path, Node(path.endswith("/"), before[path]))
        for inode, path in inodes.items():
            self._by_inode[inode] = self._find(path) if path else self.top
        self.names: list[Operation] = []
        self.files: list[Node] = []
        self.length = 0
        for kind, first, second, one, two in _parse(log):
            self._take(kind, first, second, one, two)

    def _place(self, path: str, node: Node) -> None:
        pure = PurePosixPath(path)
        parent = self._find(str(pure.parent)) if len(pure.parts) > 1 else self.top
        parent.entries[pure.name] = node
        self._live[parent][pure.name] = node
        self._live[node] = {}

    def _find(self, path: str) -> Node:
        node = self.top
        for part in PurePosixPath(path).parts:
            node = self._live[node][part]
        return node

    def _split(self, path: bytes) -> tuple[Node, str]:
        pure = PurePosixPath(path.decode(errors="surrogateescape").removeprefix(self.root).lstrip("/"))
        return (self._find(str(pure.parent)) if len(pure.parts) > 1 else self.top), pure.name

    def _take(self, kind: str, first: int, second: int, one: bytes, two: bytes) -> None:
        number = self.length
        if kind in "cm":
            self._make(kind, first, one)
        elif kind in "wtsa":
            self._write(kind, first, second, one)
        elif kind == "f":
            self._by_inode[first].flushes.append(number)
        elif kind in "ud":
            self._name(((*self._split(one), None),))
        elif kind in "lr":
            self._move(kind, first, one, two)
        else:
            self.unknown.append(f"{one.decode()} {first} {two.decode()}")
        self.length += 1

    def _make(self, kind: str, inode: int, path: bytes) -> None:
        parent, name = self._split(path)
        if name == MARK:
            self.mark = self.length
            return
        node = Node(kind == "m")
        self._live[node] = {}
        self._by_inode[inode] = node
        if kind == "c":
            self.files.append(node)
        self._name(((parent, name, node),))

    def _write(self, kind: str, inode: int, second: int, data: bytes) -> None:
        node = self._by_inode[inode]
        if node not in self.files:
            self.files.append(node)
        size = 0 if kind == "t" else second
        change = {"data": data, "place": second} if kind == "w" else {"size": size}
        node.operations.append(Operation(self.length, **change))  # type: ignore[arg-type]

    def _move(self, kind: str, inode: int, one: bytes, two: bytes) -> None:
        source, old = self._split(one)
        target, new = self._split(two)
        node = self._live[source][old]
        self._name((*([(source, old, None)] if kind == "r" else []), (target, new, node)))

    def _name(self, names: tuple[tuple[Node, str, Node | None], ...]) -> None:
        operation = Operation(self.length, names=names)
        self.names.append(operation)
        for folder, name, node in names:
            if not folder.operations or folder.operations[-1] is not operation:
                folder.operations.append(operation)
            if node is None:
                self._live[folder].pop(name, None)
            else:
                self._live[folder][name] = node

    def count_flushed(self, node: Node, end: int) -> int:
        """How many of a node's operations are on the disk in any case when the power goes before operation `end`."""
        last = max((number for number in node.flushes if number < end), default=-1)
        return sum(operation.number < last for operation in node.operations)

    def read_flushed(self, path: str, end: int) -> bytes:
        """What a file has in any case by then."""
        try:
            node = self._find(path)
        except KeyError:
            return b""
        content = bytearray(node.content)
        for operation in node.operations[: self.count_flushed(node, end)]:
            _apply(content, operation)
        return bytes(content)

    def make_state(self, end: int, kind: str, rng: random.Random) -> dict[str, bytes]:
        """What may be there when the power goes before operation `end`, on a disk of a kind."""
        names = self._choose_names(end, kind, rng)
        entries: dict[Node, dict[str, Node]] = {}
        for operation in names:
            for folder, name, node in operation.names:
                held = entries.setdefault(folder, dict(folder.entries))
                if node is None:
                    held.pop(name, None)
                else:
                    held[name] = node
        contents = {node: self._choose_content(node, end, kind, rng) for node in self.files}
        return dict(_list_tree(self.top, "", entries, contents))

    def _choose_names(self, end: int, kind: str, rng: random.Random) -> list[Operation]:
        done = [operation for operation in self.names if operation.number < end]
        folders = {folder for operation in done for folder, _, _ in operation.names}
        kept = {folder: self.count_flushed(folder, end) for folder in folders}
        flushed = {op.number for folder in folders for op in folder.operations[: kept[folder]]}
        if kind == "all":
            return done
        if kind == "ordered":
            least = max(flushed, default=-1)
            cut = rng.choice([least + 1, end, rng.randint(least + 1, max(end, least + 1))])
            return [operation for operation in done if operation.number < cut]
        chosen = set(flushed)
        for folder in folders:
            mine = [operation for operation in folder.operations if operation.number < end]
            more = rng.choice([kept[folder], len(mine), rng.randint(kept[folder], len(mine))])
            chosen.update(operation.number for operation in mine[:more])
        return [operation for operation in done if operation.number in chosen]

    def _choose_content(self, node: Node, end: int, kind: str, rng: random.Random) -> bytes:
        done = [operation for operation in node.operations if operation.number < end]
        least = self.count_flushed(node, end)
        count = len(done) if kind == "all" else rng.choice([least, len(done), rng.randint(least, len(done))])
        content = bytearray(node.content)
        for operation in done[:least]:
            _apply(content, operation)
        safe = len(content)
        for operation in done[least:count]:
            _apply(content, operation)
        if kind != "all" and len(content) > safe:
            _tear(content, safe, rng)
        return bytes(content)


def _tear(content: bytearray, safe: int, rng: random.Random) -> None:
    """What was not flushed may be cut off, or be zeros that only its length reached the disk for."""
    how = rng.randrange(5)
    place = rng.randint(safe, len(content))
    if how == 0:
        del content[place:]
    elif how == 1:
        content[place:] = bytes(len(content) - place)
    elif how == 2:
        content[safe:] = bytes(len(content) - safe)


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.size is not None:
        del content[operation.size :]
        content.extend(bytes(operation.size - len(content)))
        return
    data = operation.data or b""
    content.extend(bytes(max(0, operation.place - len(content))))
    content[operation.place : operation.place + len(data)] = data


def _list_tree(
    node: Node, path: str, entries: Mapping[Node, Mapping[str, Node]], contents: Mapping[Node, bytes]
) -> Iterator[tuple[str, bytes]]:
    for name, child in entries.get(node, node.entries).items():
        if child.is_folder:
            yield f"{path}{name}/", b""
            yield from _list_tree(child, f"{path}{name}/", entries, contents)
        else:
            yield path + name, contents.get(child, child.content)


def _parse(log: bytes) -> Iterator[tuple[str, int, int, bytes, bytes]]:
    place = 0
    while place < len(log):
        kind, first, second, _, size1, size2 = _HEAD.unpack_from(log, place)
        place += _HEAD.size
        one, two = log[place : place + size1], log[place + size1 : place + size1 + size2]
        place += size1 + size2
        yield kind.decode(), first, second, one, two


def read_tree(folder: Path) -> tuple[dict[str, bytes], dict[int, str]]:
    """A folder's files, and their paths by inode."""
    tree: dict[str, bytes] = {}
    inodes = {folder.stat().st_ino: ""}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        inodes[path.stat().st_ino] = name
        tree[f"{name}/" if path.is_dir() else name] = b"" if path.is_dir() else path.read_bytes()
    return tree, inodes


def write_tree(folder: Path, tree: Tree) -> None:
    """Lay a state out."""
    folder.mkdir(parents=True)
    for path in sorted(tree, key=lambda path: path.count("/")):
        if path.endswith("/"):
            (folder / path).mkdir(exist_ok=True)
    for path, content in tree.items():
        if not path.endswith("/"):
            (folder / path).write_bytes(content)


def hash_tree(tree: Tree) -> str:
    """What tells states apart."""
    digest = hashlib.sha256()
    for path in sorted(tree):
        digest.update(f"{path}\0{len(tree[path])}\0".encode() + tree[path])
    return digest.hexdigest()


def list_states(recording: Recording, count: int, seed: int) -> Iterator[tuple[int, dict[str, bytes]]]:
    """`count` states with the operation before which the power went: every such place once, then any, by a seed."""
    rng = random.Random(seed)
    ends = list(range(1, recording.length + 1))
    rng.shuffle(ends)
    for number in range(count):
        end = ends[number] if number < len(ends) else rng.randint(1, recording.length)
        yield end, recording.make_state(end, ("any", "ordered", "any", "all")[number % 4], rng)
