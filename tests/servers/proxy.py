"""A TCP proxy on this machine, whose network can be cut; it can speak TLS to those who come."""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_BYTES = 65_536
_SSL_REQUEST = struct.pack("!II", 8, 80_877_103)
_LOOK_EVERY_S = 0.2


class Proxy:
    """Forwards connections at `port` to a server, but for while it is cut."""

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        """target: the server's port; tls: for clients of PostgreSQL, which ask for it in their own way."""
        self._target, self._tls = target, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_cut = self._is_closed = False
        self._flows = threading.Event()
        self._flows.set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        self._is_cut = True
        self._drop_all()

    def stall(self) -> None:
        """Forward nothing any more, without a word."""
        self._flows.clear()

    def mend(self) -> None:
        """Let all go on."""
        self._is_cut = False
        self._flows.set()

    def close(self) -> None:
        """End it."""
        self._is_closed = True
        self._flows.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._drop_all()
        self._thread.join()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
            else:
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client = self._begin_tls(client) if self._tls else client
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        with self._guard:
            self._open |= {client, server}
        back = threading.Thread(target=self._forward, args=(server, client), daemon=True)
        back.start()
        self._forward(client, server)
        back.join()
        with self._guard:
            self._open -= {client, server}
        for one in (client, server):
            one.close()

    def _begin_tls(self, client: socket.socket) -> socket.socket:
        assert self._tls is not None
        asked = client.recv(8, socket.MSG_PEEK)
        if asked != _SSL_REQUEST:
            return client
        client.recv(8)
        client.sendall(b"S")
        return self._tls.wrap_socket(client, server_side=True)

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_BYTES):
                while not self._flows.wait(_LOOK_EVERY_S):
                    pass
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _drop_all(self) -> None:
        with self._guard:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


@contextmanager
def start_proxy(target: int, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy that is gone at the end."""
    proxy = Proxy(target, tls)
    try:
        yield proxy
    finally:
        proxy.close()


def make_certificate(folder: Path, host: str = "127.0.0.1") -> tuple[Path, Path] | None:
    """A self-signed certificate and its key; None where there is no openssl."""
    if shutil.which("openssl") is None:
        return None
    certificate, key = folder / "server.crt", folder / "server.key"
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", str(key), "-out", str(certificate), "-days", "36500", "-subj", f"/CN={host}"),
        *("-addext", f"subjectAltName=IP:{host}"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
