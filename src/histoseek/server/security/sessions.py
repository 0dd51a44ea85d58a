"""Sessions of browsers: a signed cookie that scripts can't read, in place of the token itself."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time

from histoseek.server.clock import Clock
from histoseek.server.security.tokens import Token, TokenStore
from histoseek.server.state.database import State

LIFETIME_S = 12 * 3600
_VALUE = re.compile(r"([0-9a-f]{16})\.([0-9a-f]{32})\.([0-9]{1,12})\.([0-9a-f]{64})")


class Sessions:
    """Sessions of one server, or of all that share a state.

    Its port is part of the cookie's name, as cookies are shared by all ports of a host; servers that share a state have
    one name instead.
    """

    def __init__(self, state: State, tokens: TokenStore, port: int, clock: Clock = time.time) -> None:
        self._state = state
        self._tokens = tokens
        self._key = state.derive_key("session")
        self._name = f"histoseek-{state.shared_id or port}"
        self._clock = clock

    def start(self, token: Token, secure: bool) -> str:
        """The value of the Set-Cookie header that begins a session; secure: the request came by https."""
        expires = int(self._clock()) + LIFETIME_S
        content = f"{token.token_id}.{secrets.token_hex(16)}.{expires}"
        return self._make_cookie(f"{content}.{self._sign(content)}", LIFETIME_S, secure)

    def find_token(self, cookie_header: str, secure: bool) -> Token | None:
        """The token that the session of a Cookie header began with; None without one, or when it has ended."""
        parts = self._parse(cookie_header, secure)
        if parts is None:
            return None
        token_id, session_id, expires = parts
        if expires <= self._clock() or self._has_ended(session_id):
            return None
        return self._tokens.find_active(token_id)

    def end(self, cookie_header: str, secure: bool) -> str:
        """End the session for good; the value of the Set-Cookie header that takes the cookie away."""
        parts = self._parse(cookie_header, secure)
        if parts is not None:
            _, session_id, expires = parts
            with self._state.open_transaction() as connection:
                connection.execute("DELETE FROM ended_sessions WHERE expires <= ?", (self._clock(),))
                connection.execute(
                    "INSERT INTO ended_sessions VALUES (?, ?) ON CONFLICT DO NOTHING", (session_id, expires)
                )
        return self._make_cookie("", 0, secure)

    def _parse(self, cookie_header: str, secure: bool) -> tuple[str, str, int] | None:
        """Token id, session id and expiry of a cookie that this server signed."""
        match = _VALUE.fullmatch(_read_cookie(cookie_header, self._name_cookie(secure)))
        if match is None:
            return None
        token_id, session_id, expires, signature = match.groups()
        content = f"{token_id}.{session_id}.{expires}"
        return (token_id, session_id, int(expires)) if self._is_signed(content, signature) else None

    def _is_signed(self, content: str, signature: str) -> bool:
        return hmac.compare_digest(self._sign(content), signature)

    def _sign(self, content: str) -> str:
        return hmac.new(self._key, content.encode(), hashlib.sha256).hexdigest()

    def _has_ended(self, session_id: str) -> bool:
        return bool(self._state.read("SELECT 1 FROM ended_sessions WHERE session_id = ?", (session_id,)))

    def _name_cookie(self, secure: bool) -> str:
        """Browsers take a __Host- cookie only from this very host, and only by https."""
        return f"__Host-{self._name}" if secure else self._name

    def _make_cookie(self, value: str, lifetime_s: int, secure: bool) -> str:
        flags = "; Secure" if secure else ""
        return f"{self._name_cookie(secure)}={value}; Max-Age={lifetime_s}; Path=/; HttpOnly; SameSite=Strict{flags}"


def _read_cookie(header: str, name: str) -> str:
    """The value of one cookie; other cookies of the host may be as odd as they like."""
    for pair in header.split(";"):
        match, equals, value = pair.strip().partition("=")
        if match == name and equals:
            return value
    return ""
