"""Leaving a process only what it may read, by Landlock: files, and where the kernel can, TCP and signals to others.

Interface: https://docs.kernel.org/userspace-api/landlock.html. What a kernel does not know is left out; whether the
rest holds is to be tried.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16, 9: 17}
_NETWORK_RIGHTS = {1: 0, 4: 2, 10: 4}
_SCOPES = {1: 0, 6: 2}
"""How many rights there are, by the version of the interface that brought them: over files, over the network (TCP,
UDP), and over sockets of, and signals to, processes outside."""

_THREADS_SINCE, _ALL_THREADS = 8, 1 << 3


def get_version(kernel: ctypes.CDLL) -> int:
    """The newest version of the interface that the kernel has; below 1: it has none, or it is switched off."""
    return int(kernel.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))


def restrict_to_reading(kernel: ctypes.CDLL, readable: Iterable[str]) -> None:
    """Leave to this thread, and to those it starts, reading of these files and folders with all below them."""
    version = get_version(kernel)
    rules = _create_rules(kernel, version)
    if rules < 0:
        return
    for path in readable:
        with suppress(OSError):
            _allow_reading(kernel, rules, path)
    kernel.syscall(_RESTRICT_SELF, rules, _ALL_THREADS if version >= _THREADS_SINCE else 0)
    os.close(rules)


def _create_rules(kernel: ctypes.CDLL, version: int) -> int:
    """A handle of rules that take away all rights of this version, or of an earlier one; below 0: there is none."""
    for known in range(min(version, max(_NETWORK_RIGHTS)), 0, -1):
        rights = [_fill_bits(counts, known) for counts in (_FILE_RIGHTS, _NETWORK_RIGHTS, _SCOPES)]
        while rights[-1] == 0:
            rights.pop()
        attributes = struct.pack(f"={len(rights)}Q", *rights)
        rules = int(kernel.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
        if rules >= 0:
            return rules
    return -1


def _fill_bits(counts: dict[int, int], version: int) -> int:
    return (1 << max(count for since, count in counts.items() if since <= version)) - 1


def _allow_reading(kernel: ctypes.CDLL, rules: int, path: str) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rights = _READ_FILE | (_READ_FOLDER if Path(path).is_dir() else 0)
    kernel.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, handle), 0)
    os.close(handle)
