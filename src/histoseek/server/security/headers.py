"""Headers of every response: browsers run, show and embed nothing that is not this server's own."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
_ALWAYS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_UNCACHED = ("/api/", "/metrics")


def protect_response(headers: MutableHeaders, path: str) -> None:
    """Add the headers; answers of the API are kept in no cache unless their route says otherwise."""
    for name, value in _ALWAYS:
        headers[name] = value
    if path.startswith(_UNCACHED):
        headers.setdefault("Cache-Control", "no-store")
