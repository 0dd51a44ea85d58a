"""What of a request decides who sends it: read from its headers once."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import Scope

from histoseek.server.errors import RequestError

_ONCE = ("host", "authorization", "origin")


@dataclass(frozen=True, slots=True)
class RequestHead:
    """Method, host and origin as the client gave them, its address, whether it came by https, and its credentials."""

    method: str
    host: str
    address: str
    secure: bool = False
    authorization: str | None = field(default=None, repr=False)
    cookie: str = field(default="", repr=False)
    origin: str | None = None
    fetch_site: str | None = None
    page: str | None = None

    @classmethod
    def from_scope(cls, scope: Scope, trust_proxy: bool) -> RequestHead:
        """The head of an ASGI request; raises RequestError for a header that is there twice.

        trust_proxy: a proxy of ours has set X-Forwarded-Proto, and added the client's address to X-Forwarded-For.
        """
        headers = Headers(scope=scope)
        for name in _ONCE:
            if len(headers.getlist(name)) > 1:
                raise RequestError(name, "the header is there twice", "Send it once")
        client = scope.get("client")
        address, scheme = client[0] if client else "", scope["scheme"]
        if trust_proxy:
            address = headers.get("x-forwarded-for", address).rpartition(",")[2].strip()
            scheme = headers.get("x-forwarded-proto", scheme).rpartition(",")[2].strip()
        return cls(
            method=scope["method"],
            host=headers.get("host", ""),
            address=address,
            secure=scheme == "https",
            authorization=headers.get("authorization"),
            cookie="; ".join(headers.getlist("cookie")),
            origin=headers.get("origin"),
            fetch_site=headers.get("sec-fetch-site"),
            page=headers.get("x-histoseek"),
        )
