"""A small application behind uvicorn in a thread of this process, on a free port of loopback and with its own clock."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from histoseek.server.security.protocol import BoundedProtocol
from tests.waiting import HANG_S


@dataclass(frozen=True, slots=True)
class Listening:
    """Where it listens, and the loop in which it does."""

    port: int
    loop: asyncio.AbstractEventLoop

    def pass_time(self, seconds: float) -> None:
        """Let the server believe that so much time has passed, once it has done what it has to do now."""
        passed = threading.Event()

        def pass_in_loop() -> None:
            clock = self.loop.time
            self.loop.time = lambda: clock() + seconds  # type: ignore[method-assign]
            # Not before what is due then was done.
            self.loop.call_later(0, self.loop.call_soon, passed.set)

        self.loop.call_soon_threadsafe(pass_in_loop)
        assert passed.wait(HANG_S)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.begun.set()


@contextmanager
def listening(application: ASGIApp, protocol: type[BoundedProtocol] = BoundedProtocol) -> Iterator[Listening]:
    """Where the application is served while the block runs."""
    place = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, loop="asyncio", http=protocol, lifespan="off", log_config=None, timeout_keep_alive=10**6
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
    thread.start()
    try:
        assert server.begun.wait(HANG_S)
        assert server.loop
        yield Listening(place.getsockname()[1], server.loop)
    finally:
        server.should_exit = True
        thread.join()
