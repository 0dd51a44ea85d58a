from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.server.security.sessions import LIFETIME_S, Sessions
from histoseek.server.security.tokens import NewToken, TokenStore
from histoseek.server.state.database import State


@dataclass
class Desk:
    state: State
    tokens: TokenStore
    sessions: Sessions
    token: NewToken
    now: list[float]

    def started(self, secure: bool = False) -> str:
        """The Cookie header that a browser sends after a session began."""
        return self.sessions.start(self.token.token, secure).partition(";")[0]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("sessions") / "state")


def make_desk(folder: Path) -> Desk:
    now = [1_000_000.0]
    state = State(folder)
    tokens = TokenStore(state, lambda: now[0])
    return Desk(state, tokens, Sessions(state, tokens, 8750, lambda: now[0]), tokens.add("one", "read"), now)


def test_scripts_and_other_sites_have_no_use_of_the_cookie(desk: Desk) -> None:
    plain, secure = desk.sessions.start(desk.token.token, False), desk.sessions.start(desk.token.token, True)
    for cookie in (plain, secure):
        attributes = cookie.split("; ")[1:]
        assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(attributes)
        assert desk.token.text not in cookie
    assert "Secure" not in plain
    assert secure.endswith("; Secure")
    assert secure.startswith("__Host-histoseek-8750=")


@pytest.mark.parametrize("secure", [False, True])
def test_a_session_stands_for_its_token(desk: Desk, secure: bool) -> None:
    cookie = f'theme=dark; {desk.started(secure)}; other="odd'
    found = desk.sessions.find_token(cookie, secure)
    assert found is not None
    assert found.token_id == desk.token.token.token_id
    assert desk.sessions.find_token(cookie, not secure) is None


def test_every_process_knows_a_session(desk: Desk) -> None:
    cookie = desk.started()
    other = State(desk.state.folder)
    assert Sessions(other, TokenStore(other), 8750, lambda: desk.now[0]).find_token(cookie, False) is not None
    assert Sessions(other, TokenStore(other), 9000, lambda: desk.now[0]).find_token(cookie, False) is None


def test_a_session_ends_after_its_time(tmp_path: Path) -> None:
    desk = make_desk(tmp_path / "state")
    cookie = desk.started()
    desk.now[0] += LIFETIME_S - 1
    assert desk.sessions.find_token(cookie, False) is not None
    desk.now[0] += 1
    assert desk.sessions.find_token(cookie, False) is None


def test_a_session_ends_with_its_token(tmp_path: Path) -> None:
    desk = make_desk(tmp_path / "state")
    cookie = desk.started()
    desk.tokens.revoke("one")
    assert desk.sessions.find_token(cookie, False) is None


def test_a_session_that_was_ended_stays_so(tmp_path: Path) -> None:
    desk = make_desk(tmp_path / "state")
    one, other = desk.started(), desk.started()
    gone = desk.sessions.end(one, False)
    assert gone.startswith("histoseek-8750=; Max-Age=0")
    assert desk.sessions.find_token(one, False) is None
    assert desk.sessions.find_token(other, False) is not None
    assert desk.sessions.end("", False) == gone
    desk.now[0] += LIFETIME_S + 1
    desk.sessions.end(desk.started(), False)
    assert len(desk.state.read("SELECT * FROM ended_sessions")) == 1


@given(at=st.integers(0, 10_000), letter=st.characters())
def test_no_changed_cookie_is_a_session(desk: Desk, at: int, letter: str) -> None:
    name, _, value = desk.started().partition("=")
    at %= len(value)
    if value[at] != letter:
        assert desk.sessions.find_token(f"{name}={value[:at]}{letter}{value[at + 1 :]}", False) is None


def test_another_states_key_signs_no_session_here(desk: Desk, tmp_path: Path) -> None:
    forged = Sessions(State(tmp_path / "other"), desk.tokens, 8750, lambda: desk.now[0]).start(desk.token.token, False)
    assert desk.sessions.find_token(forged.partition(";")[0], False) is None


@given(st.text(max_size=300))
def test_any_cookie_header_is_read(desk: Desk, header: str) -> None:
    assert desk.sessions.find_token(header, False) is None
