"""The host names that a server answers to: a page elsewhere can bend its own name to 127.0.0.1, not the Host header."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from histoseek.server.security.errors import WrongHost
from histoseek.server.settings import is_loopback

_EVERYWHERE = ("0.0.0.0", "::", "")


class Hosts:
    """The names of one server: loopback ones, the address it listens on, and those it was given."""

    def __init__(self, listens_on: str, allowed: Iterable[str] = ()) -> None:
        addresses = () if listens_on in _EVERYWHERE else (listens_on,)
        self._names = frozenset(_parse_name(_add_brackets(host)) for host in (*addresses, *allowed))

    def check(self, host: str) -> None:
        """Raise WrongHost for a Host header (name, and port if any) of another server."""
        name = _parse_name(host)
        if not name or not (name in self._names or is_loopback(name)):
            raise WrongHost("host", "the server does not answer to this host name", "Start it with --allowed-host NAME")


def is_same_origin(origin: str, host: str, secure: bool) -> bool:
    """Whether an Origin header names the host and port of the Host header."""
    scheme = "https" if secure else "http"
    expected = _parse_origin(f"{scheme}://{host}")
    return expected is not None and _parse_origin(origin) == expected


def _parse_origin(address: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.hostname, port or (443 if parts.scheme == "https" else 80)


def _parse_name(host: str) -> str:
    """The name of a Host header, in lower case, without port; empty when it is none."""
    if any(mark in host for mark in "/?#@\\ \t"):
        return ""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "") if parts.port != 0 else ""
    except ValueError:
        return ""


def _add_brackets(host: str) -> str:
    """An IPv6 address as it stands in a Host header."""
    return f"[{host}]" if ":" in host and not host.startswith("[") and host.count(":") > 1 else host
