"""Processes that read one file each, seen from the process that wants what is in it."""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from histoseek.sandbox.channel import (
    ChannelClosed,
    InvalidMessage,
    receive_header,
    receive_into,
    receive_payload,
    send_message,
)
from histoseek.sandbox.child_process import build_environment
from histoseek.sandbox.child_setup import ChildLimits, ForkRequest
from histoseek.sandbox.failures import ChildError, NotStarted, RequestFailure, explain_exit

_EXIT_CODE = struct.Struct("!i")
_REAP_S = 5.0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"}
_NOT_STARTED = "no process can be started to read files in"


def can_fork() -> bool:
    """Whether this system has what reading in another process needs."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds")


class ForkedProcess:
    """A process that answers requests on several channels. Safe to use from several threads."""

    def __init__(self, watch: socket.socket, channels: Sequence[socket.socket], wall_s: float) -> None:
        self._watch = watch
        self._channels = tuple(channels)
        self._wall_s = wall_s
        self._owner = os.getpid()
        self._free: queue.LifoQueue[socket.socket] = queue.LifoQueue()
        for channel in reversed(self._channels):
            self._free.put(channel)
        self._guard = threading.Lock()
        self._end: ChildError | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it can't be asked any more."""
        return self._end is not None

    @property
    def is_ours(self) -> bool:
        """Whether it was forked for this very process: requests of a copy of that would mix with those of others."""
        return self._owner == os.getpid()

    def ask(
        self, request: Mapping[str, object], into: memoryview | None = None, most_bytes: int = 0
    ) -> tuple[bytes, bytes]:
        """The reply's header and at most so many bytes; bytes of just the length of `into` are written there instead.

        Raises ChildError when there is none, or more comes; the process has ended then.
        """
        channel = self._free.get()
        try:
            if self._end is not None:
                raise self._end
            return self._exchange(channel, json.dumps(request).encode(), into, most_bytes)
        except TimeoutError as error:
            raise self._close_for(RequestFailure("reading it takes too long")) from error
        except InvalidMessage as error:
            raise self._close_for(RequestFailure("it could not be read")) from error
        except ChannelClosed as error:
            raise self._close_for(None) from error
        except ChildError:
            raise
        except BaseException:
            # The rest of the reply would come before the next one's.
            self._close_for(RequestFailure("reading it was interrupted"))
            raise
        finally:
            self._free.put(channel)

    def close(self) -> None:
        """End it; in a copy of the process that it was forked for, let go of it."""
        if self.is_ours:
            self._close_for(RequestFailure("it was closed"))
            return
        for one in (self._watch, *self._channels):
            one.close()

    def _exchange(
        self, channel: socket.socket, header: bytes, into: memoryview | None, most_bytes: int
    ) -> tuple[bytes, bytes]:
        until_s = time.monotonic() + self._wall_s
        send_message(channel, header, until_s=until_s)
        reply, length = receive_header(channel, until_s)
        if into is not None and length == into.nbytes:
            receive_into(channel, into, until_s)
            return reply, b""
        if length > most_bytes:
            raise InvalidMessage
        return reply, receive_payload(channel, length, until_s)

    def _close_for(self, reason: ChildError | None) -> ChildError:
        """End it, unless it has ended; why it did, which without a reason it is asked for."""
        with self._guard:
            if self._end is None:
                self._end = reason or self._read_exit()
                for one in (self._watch, *self._channels):
                    with suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
                    one.close()
            return self._end

    def _read_exit(self) -> ChildError:
        self._watch.settimeout(_REAP_S)
        try:
            return explain_exit(_EXIT_CODE.unpack(self._watch.recv(_EXIT_CODE.size))[0])
        except (OSError, struct.error):
            return RequestFailure("reading it was interrupted")


class ForkServer:
    """A process with a handler's module loaded, and others that it needs if they are installed, to fork from; started
    when it is first needed. Safe to use from several threads.
    """

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """The number of its process, if there is one."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it if it doesn't run, without waiting until it is ready; raises NotStarted."""
        with self._guard:
            self._get_control()

    def fork(
        self, readable: Sequence[str], limits: ChildLimits, arguments: Mapping[str, str | float | None], channels: int
    ) -> ForkedProcess:
        """A process that may read these files and folders, and answers on as many channels; raises NotStarted."""
        text = ForkRequest(tuple(readable), limits, _build_environment(), arguments).to_json().encode()
        try:
            pairs = [socket.socketpair() for _ in range(channels + 1)]
        except OSError as error:
            raise NotStarted(_NOT_STARTED) from error
        ours, theirs = zip(*pairs, strict=True)
        try:
            with self._guard:
                self._send(text, [one.fileno() for one in theirs], limits.start_s)
        except BaseException:
            for one in ours:
                one.close()
            raise
        finally:
            for one in theirs:
                one.close()
        return ForkedProcess(ours[0], ours[1:], limits.wall_s)

    def close(self) -> None:
        """End it, with all that were forked from it."""
        with self._guard:
            self._close()

    def forget(self) -> None:
        """Let go of it in a process that was copied from the one that started it."""
        self._guard = threading.Lock()
        if self._control is not None:
            self._control.close()
        self._control = self._process = None

    def _send(self, text: bytes, descriptors: Sequence[int], start_s: float) -> None:
        """Ask for a fork; once more where the process has died meanwhile."""
        for is_last in (False, True):
            control = self._get_control()
            try:
                control.settimeout(start_s)
                data = len(text).to_bytes(4, "big") + text
                sent = socket.send_fds(control, [data], descriptors)
                control.sendall(data[sent:])
                if control.recv(1) == b"1":
                    return
            except OSError:
                pass
            except BaseException:
                self._close()
                raise
            self._close()
            if is_last:
                raise NotStarted(_NOT_STARTED)

    def _get_control(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._control
        self._close()
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "histoseek.sandbox.fork_server", *self._modules]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env=_build_environment(),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise NotStarted(_NOT_STARTED) from error
        finally:
            theirs.close()
        self._control = ours
        return ours

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._control = self._process = None


def _build_environment() -> dict[str, str]:
    return {**build_environment(os.environ), **_ONE_THREAD}


_servers: dict[tuple[str, ...], ForkServer] = {}
_servers_guard = threading.Lock()


def get_fork_server(*modules: str) -> ForkServer:
    """The one of this process for a handler's module, with others loaded that it needs if they are installed."""
    with _servers_guard:
        return _servers.setdefault(modules, ForkServer(*modules))


def close_fork_servers() -> None:
    """End all; they start again when they are needed."""
    with _servers_guard:
        for server in _servers.values():
            server.close()


def _forget_servers() -> None:
    global _servers_guard  # noqa: PLW0603
    _servers_guard = threading.Lock()
    for server in _servers.values():
        server.forget()


atexit.register(close_fork_servers)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_servers)
