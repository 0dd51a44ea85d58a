"""HTTP of clients that mean ill: heads have to be short and to arrive in time, answers to be taken in time, and
there are only so many connections."""

from __future__ import annotations

from asyncio import Transport
from asyncio.events import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from histoseek.deadline import Deadline
from histoseek.server.security.connections import DEADLINE, ConnectionTable


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which alone waits for a head for ever, and keeps all of it however long it is.

    A connection is closed when it has had no request for `head_s` from when it could send the next one, whatever bytes
    it sends meanwhile, when more than `head_bytes` came that are neither a whole head nor part of a body, and when its
    client takes nothing of an answer for `read_s`. (A head that comes at once may be longer, as long as what is read
    from a socket at once.) The work of requests ends when their connection is gone.
    """

    head_s = 30.0
    head_bytes = 64 * 1024
    read_s = 60.0
    address = ""
    waiting_since: float | None = None
    _timer: TimerHandle | None = None
    _reading: TimerHandle | None = None
    _unsent_bytes = 0
    _pending_bytes = 0

    def __init__(
        self, *args: Any, table: ConnectionTable | None = None, read_s: float | None = None, **named: Any
    ) -> None:
        """table: of this process, where connections are limited."""
        super().__init__(*args, **named)
        self.read_s = self.read_s if read_s is None else read_s
        self._table = table
        self._deadlines: list[Deadline] = []

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._wait_for_client()
        if self._table is None or self._table.admit(self):
            self._wait_for_head()
        else:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._table is not None:
            self._table.remove(self)
        for deadline in self._deadlines:
            deadline.cancel()
        self._stop_timers()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection at once, whatever was still to be sent."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._pending_bytes += len(data)
        super().data_received(data)
        if self._pending_bytes > self.head_bytes:
            self.abort()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._pending_bytes = 0
        self._stop_waiting()
        self._wait_for_client()
        self._deadlines.append(Deadline())
        self.scope["extensions"] = {DEADLINE: self._deadlines[-1]}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body has come."""
        self._pending_bytes = 0
        self._wait_for_client()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self.waiting_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is sent, or waits for its client to take it."""
        if self._deadlines:
            del self._deadlines[0]
        super().on_response_complete()
        if self.cycle.response_complete:
            self._wait_for_client()
            self._wait_for_head()

    def pause_writing(self) -> None:
        """The client takes less than there is."""
        super().pause_writing()
        self._wait_for_client()
        self._wait_for_reading()

    def resume_writing(self) -> None:
        """The client has taken most of what there was."""
        super().resume_writing()
        self._stop_reading()
        if self.cycle is not None and not self.cycle.response_complete:
            self.waiting_since = None

    def _wait_for_client(self) -> None:
        self.waiting_since = self.loop.time()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(self.head_s, self._leave)

    def _leave(self) -> None:
        """Close the connection, once its client has what was still to be sent."""
        self._timer = None
        if self.transport.get_write_buffer_size():
            self.transport.close()
            self._wait_for_reading()
        else:
            self.abort()

    def _wait_for_reading(self) -> None:
        self._stop_reading()
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(self.read_s, self._check_reading)

    def _check_reading(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent_bytes:
            self._wait_for_reading()
        else:
            self.abort()

    def _stop_timers(self) -> None:
        self._stop_waiting()
        self._stop_reading()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
