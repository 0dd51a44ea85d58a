"""Bodies of requests that are files."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

_WRITTEN_AT_ONCE = 2**20


async def write_body(request: Request, write: Callable[[bytes], object]) -> None:
    """Write the body as it comes, a MB at a time."""
    buffer = bytearray()
    async for chunk in request.stream():
        buffer += chunk
        if len(buffer) >= _WRITTEN_AT_ONCE:
            await run_in_threadpool(write, bytes(buffer))
            buffer.clear()
    if buffer:
        await run_in_threadpool(write, bytes(buffer))


def read_length(request: Request) -> int | None:
    """How many bytes the body is said to have; None: nobody said so. The guard has checked that it is a number."""
    text = request.headers.get("content-length")
    return int(text) if text else None
