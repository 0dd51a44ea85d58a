"""Confined processes for files that are read as a whole: kept for the next file of the same folder, some at a time."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from histoseek.errors import ConfigurationError
from histoseek.sandbox.child_setup import ChildLimits
from histoseek.sandbox.failures import NotStarted
from histoseek.sandbox.forks import ForkedProcess, ForkServer, get_fork_server
from histoseek.settings import get_settings

_OPEN_FILES = 1024
_FILES_OF_ONE_PROCESS = 200
"""After so many it is replaced: what leaks in a library, or was done to it by a file, has an end."""

_MOST_IDLE = 4
_MEMORY_TIMES = 2
"""How many times the memory that a file may declare its process may take: what is read lies there once more."""

_Key = tuple[tuple[str, ...], tuple[str, ...], ChildLimits, int, int]
"""Modules, folders, limits, and which folder of that name: rights are of the folder itself, not of its name."""


@dataclass
class _Idle:
    """Processes that wait, each with how many files it has read; those used last come last."""

    pid: int = field(default_factory=os.getpid)
    guard: threading.Lock = field(default_factory=threading.Lock)
    processes: OrderedDict[_Key, list[tuple[ForkedProcess, int]]] = field(default_factory=OrderedDict)

    def take(self, key: _Key) -> tuple[ForkedProcess, int] | None:
        with self.guard:
            waiting = self.processes.get(key)
            taken = waiting.pop() if waiting else None
            if not waiting:
                self.processes.pop(key, None)
            return taken

    def keep(self, key: _Key, process: ForkedProcess, count: int) -> None:
        with self.guard:
            self.processes.setdefault(key, []).append((process, count))
            self.processes.move_to_end(key)
            while sum(map(len, self.processes.values())) > _MOST_IDLE:
                oldest = next(iter(self.processes))
                self.processes[oldest].pop(0)[0].close()
                if not self.processes[oldest]:
                    del self.processes[oldest]


_idle = _Idle()


@contextmanager
def borrow_process(path: Path, *modules: str, beside: Path | None = None) -> Iterator[ForkedProcess]:
    """A process that may read the folder of a file, and one beside it, and answers requests as the first of the modules
    says.

    It is used again unless the block ends with an error that is none of ours. Raises ConfigurationError where none can
    be started.
    """
    folders = (str(path.absolute().parent), *([str(beside.absolute())] if beside else []))
    key = _make_key(folders, modules)
    idle = _get_idle()
    # A link leads out of the folder: its file is read by a process of its own.
    is_link = path.is_symlink()
    kept = None if is_link else idle.take(key)
    process, count = kept or (_fork_for(path, folders, modules), 0)
    is_whole = False
    try:
        yield process
        is_whole = not process.has_ended
    finally:
        if is_whole and count + 1 < _FILES_OF_ONE_PROCESS and not is_link:
            idle.keep(key, process, count + 1)
        else:
            process.close()


def get_reading_limits(threads: int = 1) -> ChildLimits:
    """What a process may take that reads with so many threads, by the settings."""
    settings = get_settings()
    wall_s = settings.read_seconds
    return ChildLimits(_MEMORY_TIMES * settings.read_memory_mb * 2**20, wall_s * threads, wall_s, _OPEN_FILES)


def fork(
    server: ForkServer,
    readable: Sequence[str],
    limits: ChildLimits,
    arguments: Mapping[str, str | float | None],
    channels: int,
) -> ForkedProcess:
    """A process as of `ForkServer.fork`; raises ConfigurationError where none can be started."""
    try:
        return server.fork(readable, limits, arguments, channels)
    except NotStarted as error:
        advice = "Free some memory or processes, or trust the files: HISTOSEEK_TRUST=1, or `index --trust`"
        raise ConfigurationError("reading", error.reason, advice) from error


def _make_key(folders: tuple[str, ...], modules: tuple[str, ...]) -> _Key:
    try:
        stat = Path(folders[0]).stat()
    except OSError:
        return modules, folders, get_reading_limits(), 0, 0
    return modules, folders, get_reading_limits(), stat.st_dev, stat.st_ino


def _fork_for(path: Path, folders: tuple[str, ...], modules: tuple[str, ...]) -> ForkedProcess:
    return fork(get_fork_server(*modules), (*folders, str(path.absolute())), get_reading_limits(), {}, 1)


def _get_idle() -> _Idle:
    """Those of this very process: a copy of it has none."""
    global _idle  # noqa: PLW0603
    if _idle.pid != os.getpid():
        _idle = _Idle()
    return _idle
