"""The process that opens files of strangers: `python -m histoseek.sandbox.child SETUP`, started by a ChildProcess.

It gives up rights first and takes limits upon itself, then answers requests on its standard input until that ends.
"""

from __future__ import annotations

import fcntl
import importlib
import math
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Protocol

from histoseek.sandbox.child_setup import OUT_OF_MEMORY, ChildLimits, Setup
from histoseek.sandbox.confine import confine

_FILE_BYTES = 2**16
_TIDY_EVERY_S = 15.0
_PAGE_BYTES = resource.getpagesize()


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
    channel = _take_over_channel()
    if setup.encoder is not None:
        _prepare_model(setup)
    confine(setup.folder, setup.encoder)
    try:
        _serve(channel, setup)
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def _serve(channel: socket.socket, setup: Setup) -> None:
    # Only now are libraries loaded: their threads are as confined as the process then is.
    from histoseek.sandbox.channel import READY, ChannelClosed, receive_message, send_message

    handler: RequestHandler = importlib.import_module(setup.handler).create_handler(channel, setup.encoder)
    _limit_resources(setup.limits)
    send_message(channel, READY)
    while True:
        while not select.select([channel], [], [], _TIDY_EVERY_S)[0]:
            handler.close_deleted()
        try:
            header, _ = receive_message(channel)
        except ChannelClosed:
            return
        _limit_cpu(setup.limits.cpu_s)
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


def _take_over_channel() -> socket.socket:
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


def _limit_resources(limits: ChildLimits) -> None:
    """Memory beyond what is mapped already, open files, no files of any size, no core files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files))
    memory = _count_mapped_bytes() + limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _limit_cpu(cpu_s: float) -> None:
    """Computing time from now on; it counts what is used already, so each request moves it on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until_s = math.ceil(used.ru_utime + used.ru_stime + cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (until_s, resource.RLIM_INFINITY))


def _count_mapped_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE_BYTES
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
