"""Why a process did not answer a request."""

from __future__ import annotations

import signal

from histoseek.sandbox.child_setup import OUT_OF_MEMORY


class ChildError(Exception):
    """A request that a process did not answer; reason: a text for users."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RequestFailure(ChildError):
    """The request is to blame."""


class ProcessExit(ChildError):
    """The process ended during a request, perhaps for earlier ones."""


class NotStarted(ChildError):
    """There is no process to ask."""


def explain_exit(code: int) -> RequestFailure | ProcessExit:
    """Why a process ended; code: what it ended with, as of `subprocess`, negative for a signal."""
    if code == -signal.SIGXCPU:
        return RequestFailure("reading it takes too much computing time")
    if code == OUT_OF_MEMORY:
        return ProcessExit("reading it needs too much memory")
    if code < 0 and code != -signal.SIGKILL:
        return ProcessExit(f"reading it crashed with {_name_signal(-code)}")
    return ProcessExit("reading it was interrupted")


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
