"""Who sends a request: a bearer token, a browser's session, or anyone on a server without tokens."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from histoseek.server.clock import Clock
from histoseek.server.errors import Forbidden, Unauthorized
from histoseek.server.rounds import OnceARound
from histoseek.server.security.head import RequestHead
from histoseek.server.security.hosts import is_same_origin
from histoseek.server.security.limits import RateLimiter
from histoseek.server.security.sessions import Sessions
from histoseek.server.security.tokens import Role, Token, TokenStore

ANONYMOUS = "anonymous"
PAGE = "page"
"""What the header X-Histoseek says in requests of the page."""

_REMEMBERED_S = 5.0
_MOST_REMEMBERED = 4096
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_SAME_SITES = (None, "same-origin", "none")
_ADVICE = "Send `Authorization: Bearer TOKEN`; `histoseek tokens add` makes one"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request; token_id and name are "anonymous" on a server without tokens."""

    token_id: str
    name: str
    role: Role

    def require(self, role: Role) -> None:
        """Raise Forbidden unless this caller has the role."""
        if role == "write" and self.role != "write":
            raise Forbidden("token", "may only read", "Use a token of the role write")


class Access:
    """Finds out who sends a request."""

    def __init__(
        self, tokens: TokenStore, sessions: Sessions, limiter: RateLimiter, anonymous: Role | None = None
    ) -> None:
        """anonymous: what may be done without a token, nothing by default."""
        self._tokens = tokens
        self._sessions = sessions
        self._limiter = limiter
        self._anonymous = anonymous

    def identify(self, head: RequestHead) -> Caller:
        """Who sends this request. A header counts more than a cookie.

        Raises Unauthorized; Forbidden for a request that another site's page may have made a browser send;
        TooManyRequests after many wrong tokens. Right tokens are never held up by somebody else's wrong ones: there is
        nothing to guess in 256 bits, the limit only spares the server's time.
        """
        if head.authorization is not None:
            return self._identify_bearer(head)
        token = self._sessions.find_token(head.cookie, head.secure)
        if token is not None:
            _check_same_site(head)
            return _to_caller(token)
        if self._anonymous is not None:
            _check_same_site(head)
            return Caller(ANONYMOUS, ANONYMOUS, self._anonymous)
        raise Unauthorized("token", "there is none, or the session has ended", _ADVICE)

    def log_in(self, text: str, head: RequestHead) -> tuple[Token, str]:
        """The token of this text, and the Set-Cookie header that begins its session; raises as `identify` does."""
        _check_same_site(head)
        token = self._verify(text, head.address)
        return token, self._sessions.start(token, head.secure)

    def log_out(self, head: RequestHead) -> str:
        """End the session of a request; the Set-Cookie header that takes the cookie away."""
        _check_same_site(head)
        return self._sessions.end(head.cookie, head.secure)

    def _identify_bearer(self, head: RequestHead) -> Caller:
        scheme, _, text = (head.authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized("token", "the Authorization header holds no bearer token", _ADVICE)
        return _to_caller(self._verify(text.strip(), head.address))

    def _verify(self, text: str, address: str) -> Token:
        token = self._tokens.verify(text)
        if token is None:
            self._limiter.count_failed_login(address)
            raise Unauthorized("token", "unknown or revoked", _ADVICE)
        return token


class CallerMemory:
    """Who sent the last requests, for some seconds and only while the state stays as it is: a token that is revoked, or
    a session that is ended, is no good from then on. Without a mark of the state nothing is remembered.

    Heads are kept as digests. Safe to use from several threads, `recall` from one event loop at a time.
    """

    def __init__(self, read_mark: Callable[[], int | None], clock: Clock = time.monotonic) -> None:
        """read_mark: `State.read_mark`."""
        self.read_mark = read_mark
        self._mark_now = OnceARound(read_mark)
        self._clock = clock
        self._callers: OrderedDict[bytes, tuple[int, float, Caller]] = OrderedDict()
        self._guard = threading.Lock()

    def recall(self, head: RequestHead) -> Caller | None:
        """Who sent a request with the same head a moment ago."""
        with self._guard:
            mark, until, caller = self._callers.get(_digest(head), (None, 0.0, None))
        return caller if mark is not None and until > self._clock() and mark == self._mark_now.read() else None

    def keep(self, head: RequestHead, caller: Caller, mark: int | None) -> None:
        """Remember who sent a request; mark: of the state before it was looked up there."""
        if mark is None:
            return
        with self._guard:
            digest = _digest(head)
            self._callers[digest] = mark, self._clock() + _REMEMBERED_S, caller
            self._callers.move_to_end(digest)
            if len(self._callers) > _MOST_REMEMBERED:
                self._callers.popitem(last=False)


def _digest(head: RequestHead) -> bytes:
    parts = (getattr(head, name) for name in RequestHead.__slots__)
    return hashlib.sha256(repr((*parts,)).encode(errors="surrogatepass")).digest()


def _to_caller(token: Token) -> Caller:
    return Caller(token.token_id, token.name, token.role)


def _check_same_site(head: RequestHead) -> None:
    """Raise Forbidden where a page that is not ours may have made a browser send the request.

    Such a page can't set the header (that needs our consent by CORS, which nobody gets), and browsers say whose it is.
    """
    if head.fetch_site not in _SAME_SITES:
        raise Forbidden("request", "comes from a page of another site", "Open the server's own page")
    if head.origin is not None and not is_same_origin(head.origin, head.host, head.secure):
        raise Forbidden("request", "comes from a page of another origin", "Open the server's own page")
    if head.method not in _SAFE_METHODS and head.page != PAGE:
        raise Forbidden("request", "changes something without a token", f"Send the header `X-Histoseek: {PAGE}`")
