"""Start a server: check what it needs, leave the settings for its workers, and hand over to uvicorn."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any, NoReturn, cast

from histoseek.api import Archive
from histoseek.errors import ConfigurationError, SandboxIncomplete, SlideNotFound
from histoseek.sandbox.confinement import Confinement
from histoseek.sandbox.probe import probe_confinement
from histoseek.server.logs import configure_logging
from histoseek.server.security.connections import ConnectionTable
from histoseek.server.security.tokens import TokenStore
from histoseek.server.settings import ServerSettings
from histoseek.server.state.database import State
from histoseek.server.telemetry import prepare_folder
from histoseek.settings import choose_trust

_GRACE_S = 10
_KEEP_ALIVE_S = 20
_WAITING_CONNECTIONS = 512
_OWN_FILES = 400
"""Open beside connections: archives, slides, uploads, the state, pipes; what is left of the limit is theirs."""
_MOST_FILES = 8192

Announce = Callable[[ServerSettings, str | None, Confinement], None]
"""Takes the settings, the text of the first token if it was made just now, and what holds where uploads are opened."""


def run_server(settings: ServerSettings, announce: Announce) -> None:
    """Serve until interrupted; what can't work is refused before anything listens. Port 0 takes a free one.

    Raises ArchiveNotFound, DamagedArchive, SlideNotFound, SandboxIncomplete, ConfigurationError.
    """
    # Memory holds reports as they came: neither this process nor its children leave it on the disk when they crash.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for path in settings.archives.values():
        Archive.open(path)
    if settings.import_folder and not settings.import_folder.is_dir():
        raise SlideNotFound(settings.import_folder)
    confinement = probe_confinement()
    if settings.require_sandbox:
        _require(confinement)
    with _open_socket(settings.host, settings.port) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        token = _create_first_token(settings)
        if settings.workers > 1:
            prepare_folder(settings.metrics_folder)
        configure_logging(settings.json_logs)
        settings.write_to_environment()
        announce(settings, token, confinement)
        _serve(settings, listener)


def _require(confinement: Confinement) -> None:
    """Raise SandboxIncomplete where a process that opens files isn't confined, ConfigurationError where none does."""
    if choose_trust(None):
        raise ConfigurationError("--require-sandbox", "HISTOSEEK_TRUST opens files outside of it", "Unset the variable")
    if not confinement.is_complete:
        raise SandboxIncomplete(confinement.list_open())


def _create_first_token(settings: ServerSettings) -> str | None:
    state = State.from_settings(settings)
    try:
        return None if settings.allow_anonymous else TokenStore(state).create_first()
    finally:
        state.close()


def _serve(settings: ServerSettings, listener: socket.socket) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from histoseek.server.security.protocol import BoundedProtocol

    read_s = settings.limits.read_s
    config = uvicorn.Config(
        "histoseek.server.app:create_app_from_environment",
        factory=True,
        http=cast(Any, partial(BoundedProtocol, table=_make_table(settings), read_s=read_s)),
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    # uvicorn raises the signal that ended it once more when all is done: that is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    if settings.workers > 1:
        Multiprocess(config, sockets=[listener]).run()
    else:
        uvicorn.Server(config).run(sockets=[listener])


def _make_table(settings: ServerSettings) -> ConnectionTable:
    """The connections of one process, as many as it may open files for beside those that it needs itself."""
    most = min(settings.limits.connections, raise_open_files() - _OWN_FILES)
    if most < 1:
        advice = f"Let it open more: `ulimit -n {settings.limits.connections + _OWN_FILES}`"
        raise ConfigurationError("open files", "this process may open too few", advice)
    return ConnectionTable(most, settings.limits.address_connections, settings.trust_proxy)


def raise_open_files() -> int:
    """Let this process and its children open as many files as they may; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft if soft != resource.RLIM_INFINITY else _MOST_FILES


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """End at once, with success.

    Threads may still compute, such as those that warm up: native code that meets the end of the interpreter aborts.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _open_socket(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on, before anybody answers them."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_WAITING_CONNECTIONS)
    except OSError as error:
        listener.close()
        advice = "Is another server running? Choose another --port, or --host"
        raise ConfigurationError(f"{host}:{port}", f"can't listen here ({error.strerror})", advice) from error
    listener.set_inheritable(True)
    return listener
