"""A server as users start it: `histoseek serve` in a process of its own, on a free port of loopback.

It listens before it tells its address, so nobody needs to wait for it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from histoseek.client.client import Client
from histoseek.server.settings import ServerSettings
from tests.waiting import HANG_S

_OPEN = re.compile(r"Open (http://\S+?/)(?:#token=(\S+))?(?:\s|$)")
_START = """
import sys
from histoseek.server.run import run_server
from histoseek.server.settings import ServerSettings

run_server(ServerSettings.from_json(sys.argv[1]), lambda settings, token, confinement: print(
    f"Open http://{settings.host}:{settings.port}/" + (f"#token={token}" if token else "")))
"""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where it listens, its first token ("" on a server without), its state folder, and its process."""

    url: str
    token: str
    state: Path
    process: subprocess.Popen[str]
    log: Path

    def client(self) -> Client:
        """A client with the first token."""
        return Client(self.url, self.token or None, timeout_s=HANG_S)

    def stop(self) -> int:
        """Ask it to end, as systemd would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(HANG_S)


@contextmanager
def serving(
    archives: Sequence[Path], state: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[RunningServer]:
    """A server that runs while the block does."""
    command = ["-m", "histoseek", "serve", *map(str, archives), "--port", "0", "--state", str(state)]
    with _running([*command, *options], state, environment or {}) as server:
        yield server


@contextmanager
def serving_with(settings: ServerSettings) -> Iterator[RunningServer]:
    """A server with settings that have no options, such as limits; on a free port."""
    with _running(["-c", _START, replace(settings, port=0).to_json()], settings.state, {}) as server:
        yield server


@contextmanager
def _running(command: Sequence[str], state: Path, environment: Mapping[str, str]) -> Iterator[RunningServer]:
    log = state.with_name(f"{state.name}.log")
    with log.open("w") as told:
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )
    try:
        url, token = _address(process, log)
        yield RunningServer(url, token, state, process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(HANG_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert process.stdout
        process.stdout.close()


def _address(process: subprocess.Popen[str], log: Path) -> tuple[str, str]:
    assert process.stdout
    for line in process.stdout:
        found = _OPEN.search(line)
        if found:
            return found[1], found[2] or ""
    raise AssertionError(f"the server did not start: {log.read_text()}")
