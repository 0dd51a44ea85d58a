"""A client of HTTP/1.1 that costs as little as it can: whoever measures a server on the server's own cores."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers by their lower-case names, and the body as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class LeanClient:
    """Up to `most` connections to one server, kept open; one request at a time on each."""

    def __init__(self, host: str, port: int, headers: dict[str, str], most: int) -> None:
        self._address = host, port
        self._head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": f"{host}:{port}", **headers}.items())
        self._slots = asyncio.Semaphore(most)
        self._idle: list[_Connection] = []

    async def ask(self, method: str, path: str, body: object = None) -> Answer:
        """The answer of a request; raises OSError, EOFError when the server hangs up."""
        content = b"" if body is None else json.dumps(body).encode()
        kind = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n" if content else ""
        message = f"{method} {path} HTTP/1.1\r\n{self._head}{kind}\r\n".encode() + content
        async with self._slots:
            try:
                return await self._exchange(message, self._idle.pop() if self._idle else await self._connect())
            except asyncio.IncompleteReadError as error:
                if error.partial or method != "GET":
                    raise
            # The server had closed a connection that was idle: browsers ask once more, too.
            return await self._exchange(message, await self._connect())

    async def _connect(self) -> _Connection:
        return await asyncio.open_connection(*self._address)

    async def _exchange(self, message: bytes, connection: _Connection) -> Answer:
        reader, writer = connection
        try:
            writer.write(message)
            answer = await _read_answer(reader)
        except BaseException:
            writer.close()
            raise
        if answer.headers.get("connection") == "close":
            writer.close()
        else:
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    status = int(head[0].split(" ", 2)[1])
    size = int(headers.get("content-length", 0))
    return Answer(status, headers, await reader.readexactly(size) if size else b"")
