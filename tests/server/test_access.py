from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from histoseek.server.errors import Forbidden, RequestError, TooManyRequests, Unauthorized
from histoseek.server.security.access import ANONYMOUS, Access, Caller
from histoseek.server.security.head import RequestHead
from histoseek.server.security.limits import RateLimiter
from histoseek.server.security.sessions import Sessions
from histoseek.server.security.tokens import NewToken, TokenStore
from histoseek.server.settings import Rates
from histoseek.server.state.database import State

GET = RequestHead("GET", "127.0.0.1:8750", "127.0.0.1")
POST = replace(GET, method="POST")


@dataclass(frozen=True)
class Desk:
    access: Access
    open_access: Access
    tokens: TokenStore
    token: NewToken
    cookie: str


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    state = State(tmp_path / "state")
    tokens = TokenStore(state)
    sessions = Sessions(state, tokens, 8750)
    limiter = RateLimiter(Rates(failed_logins=3), clock=lambda: 0.0)
    token = tokens.add("one", "read")
    access = Access(tokens, sessions, limiter)
    _, cookie = access.log_in(token.text, replace(POST, page="page"))
    return Desk(access, Access(tokens, sessions, limiter, "read"), tokens, token, cookie.partition(";")[0])


def bearer(head: RequestHead, text: str) -> RequestHead:
    return replace(head, authorization=f"Bearer {text}")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_bearer_token_says_who_asks(desk: Desk, method: str) -> None:
    head = bearer(replace(GET, method=method, origin="https://elsewhere.org"), desk.token.text)
    assert desk.access.identify(head) == Caller(desk.token.token.token_id, "one", "read")


@pytest.mark.parametrize("given", [None, "", "Basic b25lOnR3bw==", "Bearer", "Bearer ", "Bearer hs_x", "Bearer  "])
def test_without_a_good_token_nobody_gets_in(desk: Desk, given: str | None) -> None:
    with pytest.raises(Unauthorized) as caught:
        desk.access.identify(replace(GET, authorization=given))
    assert caught.value.status == 401


def test_a_bad_token_beside_a_good_cookie_is_refused(desk: Desk) -> None:
    with pytest.raises(Unauthorized):
        desk.access.identify(replace(bearer(GET, "hs_wrong"), cookie=desk.cookie))


def test_a_session_reads_without_more(desk: Desk) -> None:
    assert desk.access.identify(replace(GET, cookie=desk.cookie)).name == "one"


def test_a_session_changes_only_with_the_pages_header(desk: Desk) -> None:
    head = replace(POST, cookie=desk.cookie)
    for page in (None, "", "other"):
        with pytest.raises(Forbidden, match="X-Histoseek"):
            desk.access.identify(replace(head, page=page))
    assert desk.access.identify(replace(head, page="page", origin="http://127.0.0.1:8750")).name == "one"


@pytest.mark.parametrize("origin", ["http://elsewhere.org", "http://127.0.0.1:3000", "null", "http://localhost:8750"])
def test_pages_of_other_origins_have_no_use_of_a_session(desk: Desk, origin: str) -> None:
    with pytest.raises(Forbidden, match="origin"):
        desk.access.identify(replace(POST, cookie=desk.cookie, page="page", origin=origin))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_browsers_say_when_another_site_asks(desk: Desk, site: str) -> None:
    with pytest.raises(Forbidden, match="another site"):
        desk.access.identify(replace(GET, cookie=desk.cookie, fetch_site=site))
    with pytest.raises(Forbidden, match="another site"):
        desk.open_access.identify(replace(GET, fetch_site=site))
    with pytest.raises(Forbidden, match="another site"):
        desk.access.log_in(desk.token.text, replace(POST, page="page", fetch_site=site))


def test_without_tokens_anyone_on_the_machine_gets_in_but_no_other_page(desk: Desk) -> None:
    assert desk.open_access.identify(GET) == Caller(ANONYMOUS, ANONYMOUS, "read")
    assert desk.open_access.identify(replace(POST, page="page")).token_id == ANONYMOUS
    with pytest.raises(Forbidden):
        desk.open_access.identify(POST)
    with pytest.raises(Unauthorized):
        desk.open_access.identify(bearer(GET, "hs_wrong"))


def test_many_wrong_tokens_are_slowed_but_right_ones_never(desk: Desk) -> None:
    for _ in range(3):
        with pytest.raises(Unauthorized):
            desk.access.identify(bearer(GET, "hs_wrong"))
    with pytest.raises(TooManyRequests):
        desk.access.identify(bearer(GET, "hs_wrong"))
    with pytest.raises(TooManyRequests):
        desk.access.log_in("hs_wrong", replace(POST, page="page"))
    assert desk.access.identify(bearer(GET, desk.token.text)).name == "one"
    with pytest.raises(Unauthorized):
        desk.access.identify(bearer(replace(GET, address="10.0.0.9"), "hs_wrong"))


def test_asking_without_any_token_is_no_failed_login(desk: Desk) -> None:
    for _ in range(10):
        with pytest.raises(Unauthorized):
            desk.access.identify(GET)


def test_logging_out_ends_the_session(desk: Desk) -> None:
    head = replace(POST, method="DELETE", cookie=desk.cookie, page="page")
    with pytest.raises(Forbidden):
        desk.access.log_out(replace(head, page=None))
    assert "Max-Age=0" in desk.access.log_out(head)
    with pytest.raises(Unauthorized):
        desk.access.identify(replace(GET, cookie=desk.cookie))


def test_a_revoked_token_ends_everything(desk: Desk) -> None:
    desk.tokens.revoke("one")
    for head in (bearer(GET, desk.token.text), replace(GET, cookie=desk.cookie)):
        with pytest.raises(Unauthorized):
            desk.access.identify(head)


def test_roles() -> None:
    reader, writer = Caller("1", "r", "read"), Caller("2", "w", "write")
    reader.require("read")
    writer.require("read")
    writer.require("write")
    with pytest.raises(Forbidden) as caught:
        reader.require("write")
    assert caught.value.status == 403


def scope(*headers: tuple[str, str], scheme: str = "http") -> dict[str, object]:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http", "method": "GET", "scheme": scheme, "client": ("10.0.0.7", 4711), "headers": raw}


def test_what_a_proxy_says_counts_only_when_it_is_trusted() -> None:
    said = scope(("host", "a"), ("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x-forwarded-proto", "https"))
    alone, behind = RequestHead.from_scope(said, trust_proxy=False), RequestHead.from_scope(said, trust_proxy=True)
    assert (alone.address, alone.secure) == ("10.0.0.7", False)
    assert (behind.address, behind.secure) == ("2.2.2.2", True)
    assert RequestHead.from_scope(scope(scheme="https"), trust_proxy=False).secure


@pytest.mark.parametrize("name", ["host", "authorization", "origin"])
def test_headers_that_decide_stand_once(name: str) -> None:
    with pytest.raises(RequestError, match="twice"):
        RequestHead.from_scope(scope((name, "a"), (name, "b")), trust_proxy=False)


def test_credentials_are_not_shown_by_accident() -> None:
    head = RequestHead.from_scope(
        scope(("authorization", "Bearer hs_1"), ("cookie", "a=hs_2"), ("cookie", "b=hs_3")), False
    )
    assert head.cookie == "a=hs_2; b=hs_3"
    assert "hs_" not in repr(head)
