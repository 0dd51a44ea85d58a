"""Trying, from within a confined process, what it must not do: return codes say what was set, not what holds.

Where an attempt does succeed, it changes nothing: files keep their modes and times, other processes their limits.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from histoseek.sandbox.confinement import Confinement

Attempt = Callable[[], object]

_REFUSALS = (errno.EPERM, errno.EACCES, errno.ENOSYS)
"""Other errors, such as those for what isn't there, mean that the kernel would have done it."""

_ANY_FILE = Path("/etc/passwd")
_SHARED_FOLDER = Path("/tmp")
_NOWHERE = Path("/nowhere/at/all")
_ASK_PERSONALITY = 0xFFFFFFFF
_NO_REQUEST = -1


def try_confinement(readable: str, memory_bytes: int) -> Confinement:
    """What this process can't do any more; readable: a file or folder it may read, memory_bytes: too much for it."""
    if not sys.platform.startswith("linux"):
        return Confinement()
    return Confinement(
        files=_are_refused(_list_reads()),
        changes=_are_refused(_list_changes(Path(readable))),
        network=_are_refused((socket.socket, lambda: socket.socket(socket.AF_UNIX))),
        processes=_are_refused(_list_attempts_on_others(os.getppid())),
        calls=_are_refused(_list_odd_calls()),
        memory=not _can_take(memory_bytes),
    )


def _are_refused(attempts: Iterable[Attempt]) -> bool:
    return all(_is_refused(attempt) for attempt in attempts)


def _is_refused(attempt: Attempt) -> bool:
    try:
        attempt()
    except OSError as error:
        return error.errno in _REFUSALS
    return False


def _list_reads() -> list[Attempt]:
    files = [path for path in (_ANY_FILE, Path(f"/proc/{os.getppid()}/environ")) if path.exists()]
    return [lambda: list(Path("/").iterdir()), *(path.read_bytes for path in files)]


def _list_changes(readable: Path) -> list[Attempt]:
    state = readable.stat()
    folder = readable if readable.is_dir() else readable.parent
    return [
        lambda: _create_file(_SHARED_FOLDER),
        lambda: _create_file(folder),
        lambda: readable.chmod(state.st_mode & 0o7777),
        lambda: os.utime(readable, ns=(state.st_atime_ns, state.st_mtime_ns)),
        _NOWHERE.unlink,
        lambda: _NOWHERE.rename(_NOWHERE),
    ]


def _create_file(folder: Path) -> None:
    path = folder / f".histoseek-{os.getpid()}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    path.unlink()


def _list_attempts_on_others(parent: int) -> list[Attempt]:
    return [
        _fork,
        lambda: os.execv(_NOWHERE, [str(_NOWHERE)]),
        lambda: os.kill(parent, 0),
        lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
        lambda: os.sched_setaffinity(parent, os.sched_getaffinity(0)),
        lambda: os.setpriority(os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, parent)),
    ]


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _list_odd_calls() -> list[Attempt]:
    """Calls that any process may make otherwise, without effect here."""
    kernel = ctypes.CDLL(None, use_errno=True)
    return [
        lambda: _check(kernel.unshare(0)),
        lambda: _check(kernel.personality(_ASK_PERSONALITY)),
        lambda: _check(kernel.ptrace(_NO_REQUEST, 0, None, None)),
        lambda: os.close(_check(kernel.inotify_init())),
        lambda: os.close(os.memfd_create("")),
        lambda: os.close(os.pidfd_open(os.getpid())),
    ]


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _can_take(memory_bytes: int) -> bool:
    """Whether so much address space can be had; it is not written to, and so costs no memory."""
    try:
        mmap.mmap(-1, memory_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ).close()
    except OSError:
        return False
    return True
