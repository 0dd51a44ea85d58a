"""Giving up rights that reading a slide does not need, as far as the system lets an ordinary process do so.

On Linux, Landlock (5.13 and later) leaves only reading of this program, its models and what is to be read, and takes
away TCP (6.7) and signals to others (6.12); a seccomp filter leaves only the system calls that reading takes, and a
process that runs as root loses root's other rights. Elsewhere, and where the kernel was built without them, the process
keeps these rights: run as a user who has few. `self_test` finds out what holds.
"""

from __future__ import annotations

import ctypes
import os
import site
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from histoseek.sandbox.allowed_calls import UNKNOWN_FROM, list_rules
from histoseek.sandbox.call_filter import MACHINES, build_filter, install_filter
from histoseek.sandbox.landlock import restrict_to_reading

_NO_NEW_PRIVILEGES = 38
_CAPABILITIES_VERSION = 0x20080522
_READ_ALL_FILES = 1 << 2
"""CAP_DAC_READ_SEARCH: root keeps what lets it read slides of other users, which Landlock then narrows."""

_SYSTEM = (
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/os-release",
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
    its models.
    """
    if not sys.platform.startswith("linux"):
        return
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return
    _drop_capabilities(kernel)
    restrict_to_reading(
        kernel, [*readable, *_list_program_paths(), *(_list_model_paths(encoder) if encoder is not None else ())]
    )
    _filter_calls(kernel, compiles=encoder is not None)


def _list_program_paths() -> Iterator[str]:
    """Where Python, its packages and the system's libraries lie."""
    yield from (str(Path(prefix) / part) for prefix in (sys.prefix, sys.base_prefix) for part in ("lib", "lib64"))
    yield str(Path(sys.prefix) / "pyvenv.cfg")
    yield from (*site.getsitepackages(), *(part for part in sys.path if part), *_SYSTEM)
    yield str(Path(__file__).parents[2])


def _list_model_paths(encoder: str) -> Iterator[str]:
    """Where encoders lie; settings are not yet to be read through their own class, which loads much."""
    _, _, weights = encoder.partition("@")
    if weights:
        yield weights
    home = Path.home()
    yield os.environ.get("HISTOSEEK_CACHE_DIR", str(home / ".cache" / "histoseek"))
    yield os.environ.get("HISTOSEEK_WEIGHTS_DIR", str(home / ".local" / "share" / "histoseek" / "weights"))


def _drop_capabilities(kernel: ctypes.CDLL) -> None:
    """Give up what root may do beyond others, but for reading files; who isn't root has nothing to lose."""
    header = struct.pack("=Ii", _CAPABILITIES_VERSION, 0)
    for kept in (_READ_ALL_FILES, 0):
        if kernel.capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0)) == 0:
            return


def _filter_calls(kernel: ctypes.CDLL, compiles: bool) -> None:
    name = os.uname().machine
    machine = MACHINES.get(name)
    if machine is not None:
        steps = build_filter(machine.architecture, list_rules(name, compiles), UNKNOWN_FROM)
        install_filter(kernel, machine, steps)
