"""Altered files of a format, read one after the other in processes with limits."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.attacks.hostile_readers import Outcome, read_files
from tests.attacks.mutations import Format, mutate

_AT_ONCE = 2000


def fuzz(
    kind: Format, count: int, seed: int, memory_mb: int, wall_s: float, source: Path | None = None
) -> Iterator[tuple[Outcome, Path]]:
    """How reading `count` altered files ends, each with the file, which is there until the next is taken."""
    random_ = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        seeds = kind.make(Path(folder))
    for start in range(0, count, _AT_ONCE):
        with tempfile.TemporaryDirectory() as folder:
            files = Path(folder) / "files"
            files.mkdir()
            names = []
            for number in range(start, min(count, start + _AT_ONCE)):
                path = files / f"{seed}-{number}{random_.choice(kind.endings)}"
                path.write_bytes(mutate(seeds, random_))
                name = path.name
                if kind.beside:
                    beside = path.with_suffix(kind.beside[0])
                    beside.write_bytes(_make_beside(kind))
                    name = beside.name
                names.append(name)
            for outcome in read_files(kind.reader, files, names, memory_mb, wall_s, source):
                yield outcome, files / outcome.file


def _make_beside(kind: Format) -> bytes:
    assert kind.beside
    if kind.name not in _BESIDE:
        _BESIDE[kind.name] = kind.beside[1]()
    return _BESIDE[kind.name]


_BESIDE: dict[str, bytes] = {}
