"""A server as somebody new finds it: whoever used it before left nothing there that others see."""

from __future__ import annotations

from dataclasses import replace

from histoseek.server.jobs.job_store import JobStore
from histoseek.server.state.database import State
from tests.server.conftest import new_token
from tests.server.running import RunningServer
from tests.waiting import wait_for

_KEPT = {"keys", "tokens", "ended_sessions", "jobs", "kept_slides"}
"""Tables of who may come in, and of work that is its owner's alone. All others are emptied, also those yet to come."""


def renew(server: RunningServer) -> RunningServer:
    """The same server with a token of somebody new, once its jobs have ended and what people keep there is gone.

    Uploads and the list of jobs are their owner's alone, as are rate limits and quotas: the new one begins with none,
    and is reached by no request of an earlier one that is still on its way.
    """
    state = State(server.state)
    try:
        _end_jobs(JobStore(state))
        with state.open_transaction() as connection:
            connection.execute("PRAGMA defer_foreign_keys = ON")
            for row in state.read("SELECT name FROM sqlite_master WHERE type = 'table'"):
                if row["name"] not in _KEPT and not row["name"].startswith("sqlite_"):
                    connection.execute(f'DELETE FROM "{row["name"]}"')
    finally:
        state.close()
    return replace(server, token=new_token(server))


def _end_jobs(jobs: JobStore) -> None:
    def list_open() -> list[str]:
        return [job.job_id for job in jobs.list() if not job.has_ended]

    for job_id in list_open():
        jobs.cancel(job_id)
    wait_for(lambda: not list_open())
