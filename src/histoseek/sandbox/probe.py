"""What holds on this machine, found out in a process that opens nothing: before files of strangers come."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from histoseek.sandbox.child_process import ChildProcess
from histoseek.sandbox.child_setup import ChildLimits
from histoseek.sandbox.confinement import Confinement
from histoseek.sandbox.failures import ChildError

_LIMITS = ChildLimits(memory_bytes=2**28, cpu_s=10.0, wall_s=10.0, start_s=60.0)


class NoHandler:
    """Answers nothing."""

    def handle(self, header: bytes) -> None:
        """Leave it without an answer."""

    def close_deleted(self) -> None:
        """Nothing is open."""


def create_handler(channel: socket.socket, encoder: str | None) -> NoHandler:
    """What stands for a handler in a process that is only looked at."""
    return NoHandler()


def probe_confinement() -> Confinement:
    """What a confined process can't do on this machine; nothing holds where none can be started."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _probe(Path(folder))
    except (OSError, ChildError):
        return Confinement()


def _probe(readable: Path) -> Confinement:
    child = ChildProcess(__name__, readable, None, _LIMITS)
    try:
        return child.wait_until_ready()
    finally:
        child.kill()
