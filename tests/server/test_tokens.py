from __future__ import annotations

import hmac
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.errors import InputError
from histoseek.server.security import tokens as module
from histoseek.server.security.tokens import FIRST_NAME, TokenStore
from histoseek.server.state.database import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


@pytest.fixture
def store(state: State) -> TokenStore:
    return TokenStore(state)


def test_a_token_is_known_by_its_text(store: TokenStore) -> None:
    one, other = store.add("one", "read"), store.add("other", "write")
    assert store.verify(one.text) is not None
    found = store.verify(other.text)
    assert found is not None
    assert (found.token_id, found.name, found.role) == (other.token.token_id, "other", "write")


def test_texts_hold_256_random_bits_and_are_kept_nowhere(state: State, store: TokenStore, tmp_path: Path) -> None:
    texts = [store.add(f"n{i}", "read").text for i in range(20)]
    assert all(text.startswith("hs_") for text in texts)
    secrets = {text[-43:] for text in texts}  # 43 letters of base64 are 258 bits
    assert len(secrets) == 20
    state.close()
    kept = b"".join(file.read_bytes() for file in (tmp_path / "state").iterdir())
    assert not any(secret.encode() in kept for secret in secrets)


def test_a_text_is_not_shown_by_accident(store: TokenStore) -> None:
    made = store.add("one", "read")
    assert made.text not in repr(made)


def test_wrong_texts_are_compared_in_constant_time(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.append((len(ours), len(theirs)))
        return hmac_compare(ours, theirs)

    hmac_compare = hmac.compare_digest
    monkeypatch.setattr(module.hmac, "compare_digest", compare)
    text = store.add("one", "read").text
    for wrong in (f"{text[:-1]}{'A' if text[-1] != 'A' else 'B'}", f"hs_{'0' * 16}_{text[-43:]}", "", "hs_", "x" * 500):
        assert store.verify(wrong) is None
    assert compared == [(32, 32)] * 5


@settings(max_examples=60)
@given(st.text(max_size=80) | st.from_regex(r"hs_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", fullmatch=True))
def test_no_other_text_is_a_token(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    assert TokenStore(State(tmp_path_factory.getbasetemp() / "tokens")).verify(text) is None


def test_changing_any_letter_makes_a_token_useless(store: TokenStore) -> None:
    text = store.add("one", "read").text
    for at in range(len(text)):
        other = "x" if text[at] != "x" else "y"
        assert store.verify(text[:at] + other + text[at + 1 :]) is None


def test_a_revoked_token_is_useless_and_its_name_free(store: TokenStore) -> None:
    first = store.add("one", "read")
    second = store.add("two", "read")
    revoked = store.revoke("one")
    assert revoked.revoked is not None
    assert store.verify(first.text) is None
    assert store.find_active(first.token.token_id) is None
    assert store.verify(second.text) is not None
    again = store.add("one", "read")
    assert store.verify(again.text) is not None
    assert store.verify(first.text) is None
    assert [token.name for token in store.list_tokens()] == ["one", "two", "one"]


def test_tokens_are_revoked_by_id_too(store: TokenStore) -> None:
    made = store.add("one", "read")
    store.revoke(made.token.token_id)
    assert store.verify(made.text) is None
    with pytest.raises(InputError, match="no token in use"):
        store.revoke(made.token.token_id)


@pytest.mark.parametrize(
    "name", ["", " x", "a\nb", "a" * 65, "=1+1", "a/b", "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller"]
)
def test_odd_names_are_refused(store: TokenStore, name: str) -> None:
    with pytest.raises(InputError, match="not a valid name"):
        store.add(name, "read")


def test_a_name_is_one_tokens_only(store: TokenStore) -> None:
    store.add("one", "read")
    with pytest.raises(InputError, match="there is one"):
        store.add("one", "write")


def test_unknown_roles_are_refused(store: TokenStore) -> None:
    with pytest.raises(InputError, match="role"):
        store.add("one", "admin")  # type: ignore[arg-type]


def test_the_first_token_is_made_once(state: State) -> None:
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(TokenStore(state).create_first())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (text,) = [one for one in found if one is not None]
    store = TokenStore(state)
    first = store.verify(text)
    assert first is not None
    assert (first.name, first.role) == (FIRST_NAME, "write")
    store.revoke(FIRST_NAME)
    assert store.create_first() is None


def test_use_is_noted_to_the_hour(state: State) -> None:
    now = [7_200_000.0]
    store = TokenStore(state, lambda: now[0])
    text = store.add("one", "read").text
    assert store.list_tokens()[0].last_used is None
    seen = []
    for now[0] in (7_200_010.0, 7_203_000.0, 7_205_000.0):
        store.verify(text)
        last = store.list_tokens()[0].last_used
        assert last is not None
        seen.append(last.timestamp())
    assert seen == [7_200_000.0, 7_200_000.0, 7_203_600.0]


def test_a_token_works_while_its_use_cannot_be_noted(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.server.state.sqlite._WAIT_S", 0.01)
    text = TokenStore(state).add("one", "read").text
    other = State(state.folder)
    with state.open_transaction():
        found = TokenStore(other).verify(text)
    assert found is not None
    assert TokenStore(other).list_tokens()[0].last_used is None


def test_sessions_count_as_use(store: TokenStore) -> None:
    made = store.add("one", "read")
    store.find_active(made.token.token_id)
    assert store.list_tokens()[0].last_used is not None
