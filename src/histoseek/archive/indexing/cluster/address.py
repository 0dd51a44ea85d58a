"""Which cluster encodes slides: the address of a Dask scheduler, a batch system, or processes of this machine."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from histoseek.archive.remote.address import hide_password
from histoseek.arguments import describe
from histoseek.errors import ConfigurationError
from histoseek.settings import get_settings

LOCAL = "local"
BATCH_SYSTEMS = ("slurm", "pbs", "lsf")
_SCHEDULERS = ("tcp", "tls")
_ADVICE = "Give tcp://HOST:PORT or tls://HOST:PORT of a Dask scheduler, local[:N], slurm[:N], pbs[:N] or lsf[:N]"
_SCHEDULER = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[^\s:/@]+):(\d{1,5})/?")
_COUNTED = re.compile(r"([a-z]+)(?::(\d+))?")
_MOST = 10_000
_CORES_OF_A_PROCESS = 4


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """text: as it was given; kind: tcp, tls, local, slurm, pbs or lsf; count: of processes or jobs to start."""

    text: str
    kind: str
    count: int = 0

    @classmethod
    def parse(cls, text: str) -> ClusterAddress:
        """Raises ConfigurationError for what names no cluster."""
        if not isinstance(text, str):
            raise ConfigurationError("--cluster", f"{describe(text)} names no cluster", _ADVICE)
        scheduler = _SCHEDULER.fullmatch(text)
        if scheduler and 0 < int(scheduler[3]) < 2**16:
            return cls(text.rstrip("/"), scheduler[1])
        counted = _COUNTED.fullmatch(text)
        if counted is None or counted[1] not in (LOCAL, *BATCH_SYSTEMS):
            raise ConfigurationError(f"--cluster {hide_password(text)}", "names no cluster", _ADVICE)
        count = int(counted[2]) if counted[2] else _count_processes() if counted[1] == LOCAL else 1
        if not 1 <= count <= _MOST:
            raise ConfigurationError(f"--cluster {text}", f"{count} is no number of workers", f"Give 1 to {_MOST:,}")
        return cls(text, counted[1], count)

    def __str__(self) -> str:
        return self.text

    @property
    def is_scheduler(self) -> bool:
        """Whether a scheduler runs already; else it is started in this process, for as long as it indexes."""
        return self.kind in _SCHEDULERS


def _count_processes() -> int:
    """One for each GPU, else one for a few cores."""
    settings = get_settings()
    return len(settings.devices) if settings.has_gpu else max(1, (os.cpu_count() or 1) // _CORES_OF_A_PROCESS)
