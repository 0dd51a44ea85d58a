"""One process of a sandbox, seen from the server: started, given requests, and killed when it fails to reply."""

from __future__ import annotations

import os
import signal
import site
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from histoseek.sandbox.channel import ChannelClosed, InvalidMessage, receive_message, send_message
from histoseek.sandbox.child_setup import ChildLimits, Setup
from histoseek.sandbox.confinement import Confinement
from histoseek.sandbox.failures import NotStarted, ProcessExit, RequestFailure, explain_exit

_R = TypeVar("_R")

_KEPT_VARIABLES = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "HISTOSEEK_BATCH_MEMORY_MB",
    "HISTOSEEK_CACHE_DIR",
    "HISTOSEEK_COMPILE",
    "HISTOSEEK_DEVICE",
    "HISTOSEEK_PRECISION",
    "HISTOSEEK_READ_MEMORY_MB",
    "HISTOSEEK_RUNTIME",
    "HISTOSEEK_THREADS",
    "HISTOSEEK_WEIGHTS_DIR",
    "OMP_NUM_THREADS",
)
"""All that the process gets of the server's environment: no tokens, no proxies, no addresses."""

_NEW_VARIABLES = {"MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1", "VIPS_CONCURRENCY": "1"}
_REAP_S = 5.0


def _get_current_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


_STARTED_IN = _get_current_folder()
"""What relative parts of PYTHONPATH were meant from: programs change their folder later."""


class ChildProcess:
    """A process that reads files below `folder`, and encodes slides if it is given an encoder; `handler` is the module
    that answers its requests (`child.RequestHandler`).

    It serves one thread at a time; `kill` may come from any.
    """

    def __init__(self, handler: str, folder: Path, encoder: str | None, limits: ChildLimits) -> None:
        self.encoder = encoder
        self.request_count = 0
        self._confinement: Confinement | None = None
        self._limits = limits
        ours, theirs = socket.socketpair()
        listening, holding = os.pipe()
        self._channel = ours
        self._lifeline = os.fdopen(holding, "wb", buffering=0)
        try:
            setup = Setup(handler, str(folder), encoder, listening, limits)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "histoseek.sandbox.child", setup.to_json()],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env=build_environment(os.environ),
                start_new_session=True,
                pass_fds=(listening,),
            )
        except BaseException:
            ours.close()
            self._lifeline.close()
            raise
        finally:
            theirs.close()
            os.close(listening)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def wait_until_ready(self) -> Confinement:
        """What it says holds, once it takes requests; raises RequestFailure, ProcessExit, NotStarted."""
        if self._confinement is None:
            with self._ended_by_errors():
                self._confinement = self._await_start()
        return self._confinement

    def ask(self, header: bytes, parse: Callable[[bytes, bytes], _R | None]) -> _R:
        """What `parse` makes of the reply's header and bytes: None for one that others follow, InvalidMessage for none.

        Whatever else happens, the process is killed. Raises RequestFailure for what the request is to blame for,
        ProcessExit when it may be earlier ones, and NotStarted when it does not start.
        """
        self.request_count += 1
        self.wait_until_ready()
        with self._ended_by_errors():
            return self._exchange(header, parse)

    @contextmanager
    def _ended_by_errors(self) -> Iterator[None]:
        """Kill it when the block fails, and raise what that means."""
        try:
            yield
        except TimeoutError as error:
            self.kill()
            raise RequestFailure("reading it takes too long") from error
        except InvalidMessage as error:
            self.kill()
            raise RequestFailure("it could not be read") from error
        except ChannelClosed as error:
            raise self._explain_end() from error
        except BaseException:
            # Who follows the progress may have had enough; the rest of the reply would come before the next one's.
            self.kill()
            raise

    def _await_start(self) -> Confinement:
        """The first message; raises InvalidMessage, ChannelClosed, NotStarted when it takes too long."""
        try:
            header, _ = receive_message(self._channel, time.monotonic() + self._limits.start_s)
        except TimeoutError as error:
            raise NotStarted("the server can't start another process") from error
        try:
            return Confinement.from_json(header)
        except ValueError as error:
            raise InvalidMessage from error

    def _exchange(self, header: bytes, parse: Callable[[bytes, bytes], _R | None]) -> _R:
        """Send a request and wait for its answer; raises InvalidMessage, ChannelClosed and TimeoutError."""
        until_s = time.monotonic() + self._limits.wall_s
        send_message(self._channel, header, until_s=until_s)
        while True:
            reply = parse(*receive_message(self._channel, until_s))
            if reply is not None:
                return reply

    def kill(self) -> None:
        """End it, and all that it may have started, at once."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._channel.close()
        self._lifeline.close()

    def _explain_end(self) -> RequestFailure | ProcessExit:
        """Why it ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_S)
        self.kill()
        return explain_exit(self._process.returncode)


def build_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a process gets of this one's environment."""
    kept = {name: environment[name] for name in _KEPT_VARIABLES if name in environment}
    code = {"PYTHONPATH": os.pathsep.join(_list_code_folders(environment.get("PYTHONPATH", "")))}
    return {**kept, **code, **_NEW_VARIABLES}


def _list_code_folders(stated: str) -> Iterator[str]:
    """Where a process finds this very version of this package, wherever this one changed to or looks for modules.

    Never the current folder, for which an empty part stands: what a process loads from, it may read.
    """
    root = str(Path(__file__).resolve().parents[2])
    if root not in map(os.path.realpath, (*site.getsitepackages(), site.getusersitepackages())):
        yield root
    yield from (str(_STARTED_IN / part) for part in stated.split(os.pathsep) if part)
