"""What holds on this machine, found out in a process that opens nothing: before files of strangers come."""

from __future__ import annotations

import socket
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


def probe_confinement(folder: Path) -> Confinement:
    """What a process that may read `folder` can't do on this machine; nothing holds where none can be started."""
    try:
        child = ChildProcess(__name__, folder, None, _LIMITS)
    except OSError:
        return Confinement()
    try:
        return child.wait_until_ready()
    except ChildError:
        return Confinement()
    finally:
        child.kill()
