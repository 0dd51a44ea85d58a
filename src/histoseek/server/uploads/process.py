"""One process of a sandbox, seen from the server: started, asked, and killed when it does not answer as it should."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from histoseek.server.uploads.errors import SandboxBusy, SandboxFailure
from histoseek.server.uploads.messages import (
    Answer,
    Ended,
    Garbage,
    Progressed,
    Ready,
    Request,
    Told,
    receive_answer,
    send,
)
from histoseek.server.uploads.setup import OUT_OF_MEMORY, ChildLimits, Setup

_KEPT = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "HISTOSEEK_BATCH_MEMORY_MB",
    "HISTOSEEK_CACHE_DIR",
    "HISTOSEEK_DEVICE",
    "HISTOSEEK_RUNTIME",
    "HISTOSEEK_THREADS",
    "HISTOSEEK_WEIGHTS_DIR",
    "OMP_NUM_THREADS",
)
"""All that the process is told of the server's environment: no tokens, no proxies, no addresses."""

_SET = {"MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1", "VIPS_CONCURRENCY": "1"}
_REAPED_S = 5.0


class ProcessEnded(Exception):
    """It ended while it was asked; why: in words for whoever asked."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class ChildProcess:
    """A process that reads slides below `folder`, and encodes them if it is given an encoder.

    It is asked by one thread at a time; `kill` may come from any.
    """

    def __init__(self, folder: Path, encoder: str | None, limits: ChildLimits) -> None:
        self.encoder = encoder
        self.asked = 0
        self._limits = limits
        ours, theirs = socket.socketpair()
        listening, holding = os.pipe()
        self._channel = ours
        self._lifeline = os.fdopen(holding, "wb", buffering=0)
        try:
            setup = Setup(str(folder), encoder, listening, limits)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "histoseek.server.uploads.child", setup.to_json()],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env=_environment(os.environ),
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

    def ask(self, request: Request, told: Told) -> tuple[Answer, bytes]:
        """The answer and its bytes; whatever else happens, the process is killed.

        Raises SandboxFailure for what the request is to blame for, ProcessEnded when it may be earlier ones, and
        SandboxBusy when it does not start.
        """
        self.asked += 1
        try:
            if self.asked == 1:
                self._await_start()
            return self._exchange(request, told)
        except TimeoutError as error:
            self.kill()
            raise SandboxFailure("reading it takes more time than is allowed") from error
        except Garbage as error:
            self.kill()
            raise SandboxFailure("reading it went wrong") from error
        except Ended as error:
            raise self._end() from error
        except BaseException:
            # Whoever is told of progress may have had enough; the rest of the answer would come before the next one's.
            self.kill()
            raise

    def _await_start(self) -> None:
        """Wait until it takes requests; raises Garbage and Ended, and SandboxBusy when that takes too long."""
        try:
            answer, _ = receive_answer(self._channel, time.monotonic() + self._limits.start_s)
        except TimeoutError as error:
            raise SandboxBusy("the server can't start one more process") from error
        if not isinstance(answer, Ready):
            raise Garbage

    def _exchange(self, request: Request, told: Told) -> tuple[Answer, bytes]:
        """Send a request and wait for its answer; raises Garbage, Ended and TimeoutError."""
        until_s = time.monotonic() + self._limits.wall_s
        send(self._channel, request, until_s=until_s)
        while True:
            answer, payload = receive_answer(self._channel, until_s)
            if not isinstance(answer, Progressed):
                return answer, payload
            told(answer.done, answer.total)

    def kill(self) -> None:
        """End it, and all that it may have started, at once."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._channel.close()
        self._lifeline.close()

    def _end(self) -> SandboxFailure | ProcessEnded:
        """Why it ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAPED_S)
        self.kill()
        if self._process.returncode == -signal.SIGXCPU:
            return SandboxFailure("reading it takes more computing time than is allowed")
        out_of_memory = self._process.returncode == OUT_OF_MEMORY
        return ProcessEnded("reading it needs more memory than is allowed" if out_of_memory else "reading it broke off")


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    return {**{name: own[name] for name in _KEPT if name in own}, **_SET}
