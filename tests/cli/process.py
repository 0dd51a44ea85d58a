"""Running the command line as a user does: a process for each command, with its own environment, output and exit code.

A command is forked from a process that has imported what commands import, which takes them seconds; with another
Python, or variables beside the settings of histoseek, which a library may read as it is imported, it is one of its own.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock

_WIDTH = {"COLUMNS": "200"}
_PYTHON = sys.executable
_turn = Lock()


def histoseek(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **_WIDTH, **environment}
    if sys.executable == _PYTHON and all(name.startswith("HISTOSEEK_") for name in environment):
        return _fork([*map(str, arguments)], cwd or Path.cwd(), variables)
    command = [sys.executable, "-m", "histoseek", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=variables)


def refused(*arguments: object, **environment: str) -> str:
    """The error line of a command that must fail cleanly."""
    done = histoseek(*arguments, **environment)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def _fork(arguments: list[str], cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    request = json.dumps([arguments, str(cwd), environment]).encode()
    with _turn, TemporaryFile() as out, TemporaryFile() as err:
        channel = _start_warm_process()
        socket.send_fds(channel, [len(request).to_bytes(4, "big")], [out.fileno(), err.fileno()])
        channel.sendall(request)
        code = int.from_bytes(channel.recv(4), "big", signed=True)
        texts = [_read(file.fileno()) for file in (out, err)]
    return subprocess.CompletedProcess(["histoseek", *arguments], code, *texts)


def _read(descriptor: int) -> str:
    with os.fdopen(os.dup(descriptor), encoding="utf-8") as file:
        file.seek(0)
        return file.read()


@lru_cache(maxsize=1)
def _start_warm_process() -> socket.socket:
    mine, other = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.warm_process", str(other.fileno())],
        pass_fds=[other.fileno()],
        stdin=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **_WIDTH},
    )
    other.close()
    atexit.register(process.wait)
    atexit.register(mine.close)
    return mine
