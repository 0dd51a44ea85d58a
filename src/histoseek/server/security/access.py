"""Who asks: a bearer token, a browser's session, or anyone where the server runs without tokens on one machine."""

from __future__ import annotations

from dataclasses import dataclass

from histoseek.server.errors import Forbidden, Unauthorized
from histoseek.server.security.head import RequestHead
from histoseek.server.security.hosts import same_origin
from histoseek.server.security.limits import RateLimiter
from histoseek.server.security.sessions import Sessions
from histoseek.server.security.tokens import Role, Token, TokenStore

ANONYMOUS = "anonymous"
PAGE = "page"
"""What the header X-Histoseek says in requests of the page."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OWN_SITES = (None, "same-origin", "none")
_ADVICE = "Send `Authorization: Bearer TOKEN`; `histoseek tokens add` makes one"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks; token_id and name are "anonymous" on a server without tokens."""

    token_id: str
    name: str
    role: Role

    def need(self, role: Role) -> None:
        """Raise Forbidden unless this identity has the role."""
        if role == "write" and self.role != "write":
            raise Forbidden("token", "may only read", "Ask with a token of the role write")


class Access:
    """Finds out who asks."""

    def __init__(
        self, tokens: TokenStore, sessions: Sessions, limiter: RateLimiter, anonymous: Role | None = None
    ) -> None:
        """anonymous: what may be done without a token, nothing by default."""
        self._tokens = tokens
        self._sessions = sessions
        self._limiter = limiter
        self._anonymous = anonymous

    def identify(self, head: RequestHead) -> Identity:
        """Who sends this request. A header counts more than a cookie.

        Raises Unauthorized; Forbidden for a request that another site's page may have made a browser send;
        TooManyRequests after many wrong tokens. Right tokens are never held up by somebody else's wrong ones: there is
        nothing to guess in 256 bits, the limit only spares the server's time.
        """
        if head.authorization is not None:
            return self._bearer(head)
        token = self._sessions.token(head.cookie, head.secure)
        if token is not None:
            _check_own_page(head)
            return _identity(token)
        if self._anonymous is not None:
            _check_own_page(head)
            return Identity(ANONYMOUS, ANONYMOUS, self._anonymous)
        raise Unauthorized("token", "none given, or the session has ended", _ADVICE)

    def log_in(self, text: str, head: RequestHead) -> tuple[Token, str]:
        """The token of this text, and the Set-Cookie header that begins its session; raises as `identify` does."""
        _check_own_page(head)
        token = self._verified(text, head.address)
        return token, self._sessions.start(token, head.secure)

    def log_out(self, head: RequestHead) -> str:
        """End the session of a request; the Set-Cookie header that takes the cookie away."""
        _check_own_page(head)
        return self._sessions.end(head.cookie, head.secure)

    def _bearer(self, head: RequestHead) -> Identity:
        scheme, _, text = (head.authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized("token", "the Authorization header holds none", _ADVICE)
        return _identity(self._verified(text.strip(), head.address))

    def _verified(self, text: str, address: str) -> Token:
        token = self._tokens.verify(text)
        if token is None:
            self._limiter.failed_login(address)
            raise Unauthorized("token", "unknown or revoked", _ADVICE)
        return token


def _identity(token: Token) -> Identity:
    return Identity(token.token_id, token.name, token.role)


def _check_own_page(head: RequestHead) -> None:
    """Raise Forbidden where a browser may have been made to ask by a page that is not ours.

    Such a page can't set the header (that needs our consent by CORS, which nobody gets), and browsers say whose it is.
    """
    if head.fetch_site not in _OWN_SITES:
        raise Forbidden("request", "comes from a page of another site", "Open the server's own page")
    if head.origin is not None and not same_origin(head.origin, head.host, head.secure):
        raise Forbidden("request", "comes from a page of another origin", "Open the server's own page")
    if head.method not in _SAFE_METHODS and head.page != PAGE:
        raise Forbidden("request", "changes something without a token", f"Send the header `X-Histoseek: {PAGE}`")
