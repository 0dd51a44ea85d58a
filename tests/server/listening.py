"""A small application behind uvicorn in a thread of this process, on a free port of loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from histoseek.server.security.protocol import BoundedProtocol


@contextmanager
def listening(application: ASGIApp, protocol: type[BoundedProtocol] = BoundedProtocol) -> Iterator[int]:
    """The port on which the application is served while the block runs."""
    place = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, http=protocol, lifespan="off", log_config=None, timeout_keep_alive=60)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
    thread.start()
    try:
        yield place.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
