"""The limits that a process takes upon itself."""

from __future__ import annotations

import math
import resource
from pathlib import Path

from histoseek.sandbox.child_setup import ChildLimits

_FILE_BYTES = 2**16
_PAGE_BYTES = resource.getpagesize()


def limit_resources(limits: ChildLimits) -> None:
    """Memory beyond what is mapped already, open files, no files of any size, no core files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files))
    memory = _count_mapped_bytes() + limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def limit_cpu(cpu_s: float) -> None:
    """Computing time from now on; it counts what is used already, so each request moves it on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until_s = math.ceil(used.ru_utime + used.ru_stime + cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (until_s, resource.RLIM_INFINITY))


def _count_mapped_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE_BYTES
    except OSError:
        return 0
