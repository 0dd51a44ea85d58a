"""HTTP of clients that mean ill: heads of requests have to be short, and to arrive in time."""

from __future__ import annotations

from asyncio import Transport
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which alone waits for a head for ever, and keeps all of it however long it is.

    A connection is closed when it has had no request for `head_s` from when it could send the next one, whatever bytes
    it sends meanwhile, and when more than `head_bytes` came that are neither a whole head nor part of a body. (A head
    that comes at once may be longer, as long as what is read from a socket at once.)
    """

    head_s = 30.0
    head_bytes = 64 * 1024
    _waiting: TimerHandle | None = None
    _pending_bytes = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._pending_bytes += len(data)
        super().data_received(data)
        if self._pending_bytes > self.head_bytes:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._pending_bytes = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body has come."""
        self._pending_bytes = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """An answer is sent."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._wait_for_head()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(self.head_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
