"""The process that reading processes are forked from: `python -m histoseek.sandbox.fork_server MODULES`, started
by a ForkServer; the first module gives the handler, others are loaded where they are installed.

It loads what reads files, once, and never opens one. Each file is read in a copy of it, which costs some milliseconds:
the copy gives up its rights and takes limits upon itself before it looks at anything.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from histoseek.sandbox.channel import ChannelClosed, receive_message, send_message
from histoseek.sandbox.child import take_over_channel
from histoseek.sandbox.child_setup import OUT_OF_MEMORY, ForkRequest
from histoseek.sandbox.confine import confine
from histoseek.sandbox.error_replies import dump_error
from histoseek.sandbox.resource_limits import limit_cpu, limit_resources
from histoseek.settings import get_settings

Handler = Callable[[bytes], tuple[bytes, bytes | memoryview]]
"""From a request's header to a reply's header and bytes. A handler's module gives it as `create_handler(arguments)`."""

_DIE_WITH_PARENT = 1
_MOST_DESCRIPTORS = 64
_EXIT_CODE = struct.Struct("!i")


def main(module: str, *others: str) -> int:
    """Fork until whoever started this has gone; return an exit code."""
    control = take_over_channel()
    for other in others:
        with suppress(ImportError):
            importlib.import_module(other)
    handlers = importlib.import_module(module)
    # A collection in a copy would look at all that was loaded, and so copy the memory of it.
    gc.collect()
    gc.freeze()
    server = _Server(control, handlers.create_handler)
    try:
        server.serve()
    finally:
        server.end_children()
    return 0


class _Server:
    """Forks on requests, ends what it forked when its watch says so or is closed, and says there how each has ended."""

    def __init__(self, control: socket.socket, create_handler: Callable[[Mapping[str, Any]], Handler]) -> None:
        self._control = control
        self._create_handler = create_handler
        self._children: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._waker = socket.socketpair()
        for one in (self._wakeup, self._waker):
            one.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the control channel is closed."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._fork():
                        return
                elif key.fileobj is self._wakeup:
                    with suppress(BlockingIOError):
                        self._wakeup.recv(4096)
                else:
                    self._end(key.data)
            self._reap()

    def end_children(self) -> None:
        """End all that still run."""
        for pid in self._children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _fork(self) -> bool:
        """Fork as the control channel says, and answer there; False when it was closed."""
        descriptors: list[int] = []
        try:
            request = ForkRequest.from_json(_receive_text(self._control, descriptors))
        except (ChannelClosed, OSError):
            return False
        sockets = [socket.socket(fileno=one) for one in descriptors]
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            self._become_child(request, sockets)
        watch, *channels = sockets
        for channel in channels:
            channel.close()
        if pid > 0:
            self._children[pid] = watch
            self._selector.register(watch, selectors.EVENT_READ, pid)
        else:
            watch.close()
        self._control.sendall(b"1" if pid > 0 else b"0")
        return True

    def _end(self, pid: int) -> None:
        """End one whose watch was written to or closed; how it has ended is told when it is reaped."""
        self._selector.unregister(self._children[pid])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            watch = self._children.pop(pid)
            with suppress(KeyError):
                self._selector.unregister(watch)
            with suppress(OSError):
                watch.sendall(_EXIT_CODE.pack(os.waitstatus_to_exitcode(status)))
            watch.close()

    def _become_child(self, request: ForkRequest, sockets: Sequence[socket.socket]) -> NoReturn:
        """Serve on the channels, and never return."""
        code = 1
        try:
            self._let_go()
            sockets[0].close()
            os.environ.clear()
            os.environ.update(request.environment)
            get_settings.cache_clear()
            _die_with_parent()
            confine(request.readable, None)
            limit_resources(request.limits)
            code = _serve(sockets[1:], self._create_handler(request.arguments), request.limits.cpu_s)
        except MemoryError:
            code = OUT_OF_MEMORY
        finally:
            os._exit(code)

    def _let_go(self) -> None:
        """Keep nothing of the process that this was copied from that leads out of it."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for one in (self._control, self._wakeup, self._waker, *self._children.values()):
            one.close()


def _serve(channels: Sequence[socket.socket], handler: Handler, cpu_s: float) -> int:
    """Answer on the first channel, and on each further one once the one before it is used; return an exit code."""

    def serve_next(place: int) -> None:
        if place < len(channels):
            threading.Thread(target=serve, args=(place,), daemon=True).start()

    def serve(place: int) -> None:
        is_first = True
        try:
            while True:
                header, _ = receive_message(channels[place])
                if is_first:
                    is_first = False
                    serve_next(place + 1)
                limit_cpu(cpu_s)
                send_message(channels[place], *_answer(handler, header))
        except ChannelClosed:
            return
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except BaseException:
            os._exit(1)

    serve(0)
    return 0


def _answer(handler: Handler, header: bytes) -> tuple[bytes, bytes | memoryview]:
    """A handler's reply, or that there was an error; for want of memory the process ends."""
    try:
        return handler(header)
    except MemoryError:
        raise
    except BaseException as error:  # a panic of Rust is no Exception
        return dump_error(error), b""


def _die_with_parent() -> None:
    """Let the kernel end this process when the one it was forked from has ended; elsewhere than on Linux that one ends
    it when it can."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _receive_text(control: socket.socket, descriptors: list[int]) -> str:
    """A text with its length in front, and the descriptors that come with it; raises ChannelClosed."""
    data = b""
    length = 4
    while len(data) < length:
        piece, some, _, _ = socket.recv_fds(control, length - len(data), _MOST_DESCRIPTORS)
        descriptors += some
        if not piece:
            raise ChannelClosed
        data += piece
        if len(data) == 4 and length == 4:
            length += int.from_bytes(data, "big")
    return data[4:].decode()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
