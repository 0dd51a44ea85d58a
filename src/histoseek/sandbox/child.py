"""The process that opens files of strangers: `python -m histoseek.sandbox.child SETUP`, started by a ChildProcess.

It gives up rights first and takes limits upon itself, says what of that holds, then answers requests on its standard
input until that ends.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import select
import signal
import socket
import sys
from typing import Protocol

from histoseek.sandbox.child_setup import OUT_OF_MEMORY, Setup
from histoseek.sandbox.confine import confine
from histoseek.sandbox.resource_limits import limit_cpu, limit_resources
from histoseek.sandbox.self_test import try_confinement

_TIDY_EVERY_S = 15.0


class RequestHandler(Protocol):
    """What a module gives as `create_handler(channel, encoder)`; `prepare_model(encoder)` stands beside it."""

    def handle(self, header: bytes) -> None:
        """Answer a request on the channel."""

    def close_deleted(self) -> None:
        """Let go of files that were deleted; called every now and then."""


def main(text: str) -> int:
    """Answer until the server has gone; return an exit code."""
    setup = Setup.from_json(text)
    _die_with(setup.lifeline)
    channel = take_over_channel()
    if setup.encoder is not None:
        _prepare_model(setup)
    confine([setup.folder], setup.encoder)
    try:
        _serve(channel, setup)
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def _serve(channel: socket.socket, setup: Setup) -> None:
    # Only now are libraries loaded: their threads are as confined as the process then is.
    from histoseek.sandbox.channel import ChannelClosed, receive_message, send_message

    handler: RequestHandler = importlib.import_module(setup.handler).create_handler(channel, setup.encoder)
    limit_resources(setup.limits)
    confinement = try_confinement(setup.folder, 2 * setup.limits.memory_bytes)
    send_message(channel, confinement.to_json())
    while True:
        while not select.select([channel], [], [], _TIDY_EVERY_S)[0]:
            handler.close_deleted()
        try:
            header, _ = receive_message(channel)
        except ChannelClosed:
            return
        limit_cpu(setup.limits.cpu_s)
        handler.close_deleted()
        handler.handle(header)


def _die_with(lifeline: int) -> None:
    """Let the kernel end this process when the server's has ended, whatever is being computed at that moment.

    The signal of a pipe whose other end was closed does so; PR_SET_PDEATHSIG would also fire when the thread ends that
    started this process. Not every system sends it: the end of standard input is noticed between requests.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        if os.read(lifeline, 1) == b"":
            raise SystemExit(0)
    except BlockingIOError:
        pass


def take_over_channel() -> socket.socket:
    """The channel on standard input and output, out of reach for libraries that print."""
    channel = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    return channel


def _prepare_model(setup: Setup) -> None:
    """Let a process of its own, that never sees a slide, put the model into the cache folder if it isn't there yet."""
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(setup.handler).prepare_model(setup.encoder)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
