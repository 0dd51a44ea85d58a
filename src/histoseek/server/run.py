"""Start a server: check what it needs, leave the settings for its workers, and hand over to uvicorn."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from histoseek.api import Archive
from histoseek.errors import ConfigurationError, SlideNotFound
from histoseek.server.logs import configure_logging
from histoseek.server.metrics import prepare_folder
from histoseek.server.security.tokens import TokenStore
from histoseek.server.settings import ServerSettings
from histoseek.server.state import State

_GRACE_S = 10
_KEEP_ALIVE_S = 20

Say = Callable[[ServerSettings, str | None], None]
"""Told the settings, and the text of the first token when it was made just now."""

log = logging.getLogger(__name__)


def run(settings: ServerSettings, say: Say) -> None:
    """Serve until interrupted; what can't work is refused before anything listens.

    Raises ArchiveNotFound, DamagedArchive, SlideNotFound, ConfigurationError.
    """
    import uvicorn

    for path in settings.archives.values():
        Archive.open(path)
    if settings.import_folder and not settings.import_folder.is_dir():
        raise SlideNotFound(settings.import_folder)
    _check_port(settings)
    state = State(settings.state)
    token = None if settings.allow_anonymous else TokenStore(state).ensure_first()
    state.close()
    if settings.workers > 1:
        prepare_folder(settings.metrics_folder)
    configure_logging(settings.json_logs)
    settings.to_environment()
    say(settings, token)
    uvicorn.run(
        "histoseek.server.app:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.limits.connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


def free_port(host: str) -> int:
    """A port that nobody listens on; raises ConfigurationError for an address that is not this machine's."""
    with _bound(host, 0) as listening:
        return int(listening.getsockname()[1])


def _check_port(settings: ServerSettings) -> None:
    _bound(settings.host, settings.port).close()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        advice = "Is another server running? Choose another --port, or --host"
        raise ConfigurationError(f"{host}:{port}", f"can't be listened on ({error.strerror})", advice) from error
    return listening
