"""Giving up rights that reading a slide does not need, as far as the system lets an ordinary process do so.

On Linux, Landlock (5.13 and later) leaves only reading of this program, its models and the uploads, and takes away TCP
(6.7) and signals to others (6.12); a seccomp filter takes away sockets of every kind, new processes and other programs.
Elsewhere, and where the kernel was built without them, the process keeps these rights: run the server as a user who has
few.

Interfaces: https://docs.kernel.org/userspace-api/landlock.html, https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import site
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights over files there are, by the version of the interface that brought them."""

_TCP_SINCE, _SCOPES_SINCE = 4, 6
_TCP_RIGHTS, _SCOPES = 0b11, 0b11
"""Binding and connecting; abstract sockets of, and signals to, processes outside."""

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_CLONE3 = 435
_CLONE_THREAD = 0x10000
_X32_CALLS = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050000 | errno.EACCES, 0x00050000 | errno.ENOSYS


@dataclass(frozen=True, slots=True)
class _Calls:
    """Numbers of system calls; forbidden: socket, execve, execveat, io_uring_setup, and fork and vfork where they are.

    clone3 is reported as unknown, as its flags can't be checked: threads are then made by clone.
    """

    architecture: int
    clone: int
    forbidden: tuple[int, ...]


_CALLS = {
    "x86_64": _Calls(0xC000003E, 56, (41, 59, 322, 425, 57, 58)),
    "aarch64": _Calls(0xC00000B7, 220, (198, 221, 281, 425)),
}

_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/sys/devices/system",
    "/dev/null",
    "/dev/urandom",
)


def confine(readable: Iterable[str], encoder: str | None) -> None:
    """Keep this thread, and those it will start, to reading these files and folders, the program and, for an encoder,
    its models."""
    if not sys.platform.startswith("linux"):
        return
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return
    models = _list_model_paths(encoder) if encoder is not None else ()
    _restrict_files(kernel, [*readable, *_list_program_paths(), *models])
    _filter_calls(kernel)


def _list_program_paths() -> Iterator[str]:
    """Where Python, its packages and the system's libraries lie."""
    yield from (sys.prefix, sys.base_prefix, *site.getsitepackages(), *(part for part in sys.path if part), *_SYSTEM)
    yield str(Path(__file__).parents[1])


def _list_model_paths(encoder: str) -> Iterator[str]:
    """Where encoders lie; settings are not yet to be read through their own class, which loads much."""
    _, _, weights = encoder.partition("@")
    if weights:
        yield weights
    home = Path.home()
    yield os.environ.get("HISTOSEEK_CACHE_DIR", str(home / ".cache" / "histoseek"))
    yield os.environ.get("HISTOSEEK_WEIGHTS_DIR", str(home / ".local" / "share" / "histoseek" / "weights"))


def _restrict_files(kernel: ctypes.CDLL, readable: Iterable[str]) -> None:
    version = kernel.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        return
    files = (1 << max(count for since, count in _FILE_RIGHTS.items() if since <= version)) - 1
    parts = [files]
    if version >= _TCP_SINCE:
        parts.append(_TCP_RIGHTS)
    if version >= _SCOPES_SINCE:
        parts.append(_SCOPES)
    attributes = struct.pack(f"={len(parts)}Q", *parts)
    rules = kernel.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return
    for path in readable:
        with suppress(OSError):
            _allow_reading(kernel, rules, path)
    kernel.syscall(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow_reading(kernel: ctypes.CDLL, rules: int, path: str) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rights = _READ_FILE | (_READ_FOLDER if Path(path).is_dir() else 0)
    kernel.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, handle), 0)
    os.close(handle)


def _filter_calls(kernel: ctypes.CDLL) -> None:
    """Refuse the forbidden system calls; those of another architecture, too."""
    machine = platform.machine()
    if machine not in _CALLS:
        return
    steps = _build_filter(_CALLS[machine])
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    kernel.prctl(_SET_SECCOMP, _FILTER, program, 0, 0)


def _build_filter(calls: _Calls) -> list[tuple[int, int, int, int]]:
    """The filter: operation, steps to jump over when it holds and when not, operand."""
    first = 8
    allow = first + len(calls.forbidden)
    refuse, unknown = allow + 1, allow + 2

    def jump(place: int, target: int) -> int:
        return target - place - 1

    return [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 0, jump(1, refuse), calls.architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, jump(3, refuse), 0, _X32_CALLS),
        (_EQUAL, jump(4, unknown), 0, _CLONE3),
        (_EQUAL, 0, jump(5, first), calls.clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_ANY_BIT, jump(7, allow), jump(7, refuse), _CLONE_THREAD),
        *((_EQUAL, jump(first + place, refuse), 0, call) for place, call in enumerate(calls.forbidden)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _UNKNOWN),
    ]
