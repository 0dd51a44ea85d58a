"""A streaming standby of a test's PostgreSQL, which can be promoted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.servers.postgres import (
    PASSWORD,
    USER,
    PostgresServer,
    find_free_port,
    find_programs,
    make_server_folder,
)
from tests.waiting import wait_for


@contextmanager
def start_standby(
    primary: PostgresServer, settings: Mapping[str, str] | None = None, synchronous: bool = False
) -> Iterator[PostgresServer]:
    """A copy that follows the primary; synchronous: the primary's commits wait for it, as long as it is there."""
    with make_server_folder() as folder:
        standby = PostgresServer(folder, find_free_port(), dict(settings or {}) | {"hot_standby": "on"})
        command = [
            *(str(find_programs() / "pg_basebackup"), "-D", str(standby.data), "-R", "-X", "stream"),
            *("--checkpoint=fast", "--no-sync", "-h", "127.0.0.1", "-p", str(primary.port), "-U", USER),
        ]
        environment = os.environ | {"PGPASSWORD": PASSWORD}
        made = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, **as_server_user())
        assert made.returncode == 0, made.stderr
        try:
            standby.start()
            wait_for(lambda: primary.execute("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"))
            if synchronous:
                primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                primary.execute("SELECT pg_reload_conf()")
                wait_for(lambda: primary.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))
            yield standby
        finally:
            standby.stop()


def promote(standby: PostgresServer) -> None:
    """Let a standby take over from a primary that is gone."""
    standby.execute("SELECT pg_promote()")
    wait_for(lambda: is_promoted(standby))


def is_promoted(server: PostgresServer) -> bool:
    """Whether it can be written to."""
    return server.execute("SELECT pg_is_in_recovery()") == [(False,)]


def as_server_user() -> dict[str, Any]:
    """PostgreSQL's programs refuse to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}
