"""By which names a server may be asked: a page elsewhere can bend its own name to 127.0.0.1, not the Host header."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from histoseek.server.security.errors import WrongHost
from histoseek.server.settings import is_loopback

_EVERYWHERE = ("0.0.0.0", "::", "")


class Hosts:
    """The names of one server: loopback ones, the address it listens on, and those it was given."""

    def __init__(self, listens_on: str, allowed: Iterable[str] = ()) -> None:
        own = () if listens_on in _EVERYWHERE else (listens_on,)
        self._names = frozenset(_name(_bracketed(host)) for host in (*own, *allowed))

    def check(self, host: str) -> None:
        """Raise WrongHost for a Host header (name, and port if any) of another server."""
        name = _name(host)
        if not name or not (name in self._names or is_loopback(name)):
            raise WrongHost(
                "host", "this server does not go by the name that was asked for", "Start it with --allowed-host NAME"
            )


def same_origin(origin: str, host: str, secure: bool) -> bool:
    """Whether an Origin header names the host and port of the Host header."""
    scheme = "https" if secure else "http"
    ours = _place(f"{scheme}://{host}")
    return ours is not None and _place(origin) == ours


def _place(address: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


def _name(host: str) -> str:
    """The name of a Host header, in lower case, without port; empty when it is none."""
    if any(mark in host for mark in "/?#@\\ \t"):
        return ""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "") if parts.port != 0 else ""
    except ValueError:
        return ""


def _bracketed(host: str) -> str:
    """An IPv6 address as it stands in a Host header."""
    return f"[{host}]" if ":" in host and not host.startswith("[") and host.count(":") > 1 else host
