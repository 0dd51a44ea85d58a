"""A server's state on PostgreSQL keeps what it keeps in a folder."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from histoseek.errors import AccessDenied, ConfigurationError
from histoseek.server.errors import Overloaded, TooManyRequests
from histoseek.server.jobs.job_store import JobStore
from histoseek.server.security.limits import RateLimiter, RequestKind
from histoseek.server.security.sessions import Sessions
from histoseek.server.security.tokens import TokenStore
from histoseek.server.settings import Rates
from histoseek.server.state import database
from histoseek.server.state.annotations import AnnotationStore
from histoseek.server.state.collections import CollectionStore
from histoseek.server.state.database import State
from histoseek.server.state.feedback import FeedbackStore
from histoseek.server.state.migrations import Migrations
from histoseek.server.state.postgres import _MOST_CONNECTIONS, PostgresEngine
from histoseek.server.state.saved_searches import SavedSearchStore
from histoseek.server.state.worklists import WorklistStore
from tests.server import (
    test_annotation_store as annotations,
)
from tests.server import (
    test_collection_store as collections,
)
from tests.server import (
    test_feedback_store as feedback,
)
from tests.server import (
    test_job_store as jobs,
)
from tests.server import (
    test_saved_searches as saved_searches,
)
from tests.server import (
    test_sessions as sessions,
)
from tests.server import (
    test_sharing as sharing,
)
from tests.server import (
    test_state as states,
)
from tests.server import (
    test_tokens as tokens,
)
from tests.server import (
    test_worklists as worklists,
)
from tests.servers.postgres import PostgresServer
from tests.waiting import HANG_S


@pytest.fixture(autouse=True)
def _on_postgres(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """States of folders lie in schemas of their own."""

    def open_engine(folder: Path, migrations: Migrations, address: str) -> PostgresEngine:
        return PostgresEngine(address or address_of(postgres, folder), migrations)

    monkeypatch.setattr(database, "_open_engine", open_engine)
    yield
    schemas = postgres.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'histoseekserver_%'")
    for (schema,) in schemas:
        postgres.execute(f'DROP SCHEMA "{schema}" CASCADE')


def address_of(postgres: PostgresServer, folder: Path) -> str:
    return postgres.address(hashlib.sha256(str(folder).encode()).hexdigest()[:12])


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / "state")
    yield state
    state.close()


def test_a_transaction_tells_the_time_while_others_wait_for_its_end(postgres: PostgresServer, tmp_path: Path) -> None:
    engine = PostgresEngine(address_of(postgres, tmp_path), ())
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        stack.enter_context(engine.open_transaction())
        waiting = [stack.enter_context(engine._pool.lend()) for _ in range(_MOST_CONNECTIONS - 1)]
        assert all(waiting)
        assert engine.now() > 0
        # Else of others than this thread's transaction.
        other = pool.submit(engine.now)
        stack.pop_all().close()
        assert other.result(HANG_S) > 0
    engine.close()


def counting() -> Callable[[], float]:
    times = iter(range(1000, 100_000))
    return lambda: float(next(times))


@pytest.mark.parametrize(
    "work",
    [
        tokens.test_a_token_is_known_by_its_text,
        tokens.test_a_revoked_token_is_useless_and_its_name_free,
        tokens.test_tokens_are_revoked_by_id_too,
        tokens.test_a_name_is_one_tokens_only,
        tokens.test_sessions_count_as_use,
    ],
)
def test_tokens(state: State, work: Callable[[TokenStore], None]) -> None:
    work(TokenStore(state))


@pytest.mark.parametrize("work", [tokens.test_the_first_token_is_made_once, tokens.test_use_is_noted_to_the_hour])
def test_tokens_of_a_state(state: State, work: Callable[[State], None]) -> None:
    work(state)


@pytest.mark.parametrize(
    "work",
    [
        annotations.test_annotations_are_kept_in_their_order,
        annotations.test_others_see_only_what_is_shared_and_change_nothing,
        annotations.test_two_tabs_do_not_overwrite_each_other,
        annotations.test_slides_are_forgotten_with_everybody_s,
        annotations.test_annotations_of_uploads_end_with_them,
    ],
)
def test_annotations(state: State, work: Callable[[AnnotationStore], None]) -> None:
    work(AnnotationStore(state, counting()))


@pytest.mark.parametrize(
    "work",
    [
        collections.test_a_collection_is_kept_with_its_order,
        collections.test_nobody_else_finds_it,
        collections.test_replacing_keeps_when_slides_came_in,
        collections.test_a_change_of_an_old_version_is_refused,
        collections.test_of_many_changes_at_once_one_wins,
        collections.test_renaming_keeps_the_items,
        collections.test_one_slide_id_of_two_archives_is_two_slides,
        collections.test_a_removed_slide_leaves_all_collections,
        sharing.test_two_who_edit_do_not_overwrite_each_other,
        sharing.test_what_is_no_longer_shared_is_gone_for_others,
        sharing.test_who_leaves_is_rid_of_it,
        sharing.test_who_leaves_what_is_for_everybody_has_it_off_the_list_and_links_still_work,
    ],
)
def test_collections(state: State, work: Callable[[CollectionStore], None]) -> None:
    work(CollectionStore(state, counting()))


@pytest.mark.parametrize(
    "work", [saved_searches.test_a_search_is_its_owner_s_alone, saved_searches.test_removed_slides_are_forgotten]
)
def test_saved_searches(state: State, work: Callable[[SavedSearchStore], None]) -> None:
    work(SavedSearchStore(state, lambda: saved_searches.NOW))


def test_worklists(state: State) -> None:
    worklists.test_removed_slides_are_forgotten(WorklistStore(state))


@pytest.mark.parametrize(
    "work",
    [
        feedback.test_judgements_are_kept_by_query_slide_and_judge,
        feedback.test_the_last_judgement_counts_and_can_be_taken_back,
    ],
)
def test_feedback(state: State, work: Callable[[FeedbackStore], None]) -> None:
    work(FeedbackStore(state, counting()))


@pytest.mark.parametrize(
    "work",
    [
        feedback.test_judgements_of_earlier_versions_are_kept,
        feedback.test_of_a_removed_slide_neither_judgements_nor_queries_stay,
        sessions.test_a_session_ends_with_its_token,
        sessions.test_a_session_that_was_ended_stays_so,
        states.test_migrations_run_once_and_in_order,
        states.test_the_state_of_a_newer_version_is_refused,
        states.test_keys_differ_by_purpose_and_by_state,
    ],
)
def test_of_folders(tmp_path: Path, work: Callable[[Path], None]) -> None:
    work(tmp_path)


@pytest.mark.parametrize(
    "work", [jobs.test_of_a_removed_slide_jobs_say_nothing_any_more, jobs.test_an_owner_s_erasures_wait_as_one]
)
def test_jobs(state: State, work: Callable[[State], None]) -> None:
    work(state)


def test_a_transaction_that_raises_is_undone(state: State) -> None:
    with pytest.raises(ZeroDivisionError), state.open_transaction() as connection:
        connection.execute("INSERT INTO judged_queries VALUES ('a', 'b')")
        raise ZeroDivisionError
    assert list(state.read("SELECT * FROM judged_queries")) == []


def test_a_job_is_taken_by_one_server_only(tmp_path: Path) -> None:
    states = [State(tmp_path / "state") for _ in range(4)]
    adding = JobStore(states[0])
    added = {adding.add("encode", "work", "ann").job_id for _ in range(12)}
    taken: list[str] = []

    def take(state: State) -> None:
        while (job := JobStore(state).claim("encode")) is not None:
            taken.append(job.job_id)

    threads = [threading.Thread(target=take, args=(state,)) for state in states]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(added)
    for state in states:
        state.close()


def test_a_dead_servers_job_is_taken_again(tmp_path: Path) -> None:
    one, other = (State(tmp_path / "state") for _ in range(2))
    now = [1000.0]
    first, second = JobStore(one, lambda: now[0]), JobStore(other, lambda: now[0])
    job = first.add("index", "work", "ann")
    assert first.claim("index") is not None
    one.close()
    assert second.claim("index") is None
    assert second.list_running() == {job.job_id}
    now[0] += 61
    taken = second.claim("index")
    assert taken is not None
    assert taken.job_id == job.job_id
    other.close()


def test_a_session_of_one_server_is_known_at_another_port(postgres: PostgresServer, tmp_path: Path) -> None:
    address = address_of(postgres, tmp_path)
    one, other = (State(tmp_path / name, address=address) for name in ("one", "other"))
    token = TokenStore(one).add("ann", "read").token
    cookie = Sessions(one, TokenStore(one), 8750).start(token, False).partition(";")[0]
    found = Sessions(other, TokenStore(other), 8751).find_token(cookie, False)
    assert found is not None
    assert found.name == "ann"
    one.close()
    other.close()


def test_servers_count_requests_together(postgres: PostgresServer, tmp_path: Path) -> None:
    address = address_of(postgres, tmp_path)
    states = [State(tmp_path / name, address=address) for name in ("one", "other")]
    rates = Rates(searches=4, tiles=1, failed_logins=2)
    limiters = [RateLimiter(rates, take_shared=state.take_turn) for state in states]
    for number in range(4):
        limiters[number % 2].count_request(RequestKind.SEARCH, "ann")
    for limiter in limiters:
        with pytest.raises(TooManyRequests) as caught:
            limiter.count_request(RequestKind.SEARCH, "ann")
        assert 1 <= caught.value.retry_after_s <= 15
        limiter.count_request(RequestKind.TILES, "ann")
    limiters[1].count_request(RequestKind.SEARCH, "bob")
    limiters[0].count_failed_login("192.0.2.1")
    limiters[1].count_failed_login("192.0.2.1")
    with pytest.raises(TooManyRequests):
        limiters[0].count_failed_login("192.0.2.1")
    assert not any("192.0.2.1" in str([*row]) for row in states[0].read("SELECT * FROM turns"))
    for state in states:
        state.close()


def test_of_what_was_deleted_no_byte_stays_in_the_tables(postgres: PostgresServer, state: State) -> None:
    jobs = JobStore(state)
    job = jobs.add("index", "work", "ann", '{"slides": [], "x": "quokkaform"}')
    postgres.execute("CHECKPOINT")
    assert _holds(postgres, b"quokkaform")
    jobs.end(job.job_id, "done")
    postgres.execute("CHECKPOINT")
    assert not state.holds_traces
    assert not _holds(postgres, b"quokkaform")


def _holds(postgres: PostgresServer, word: bytes) -> bool:
    return any(word in path.read_bytes() for path in (postgres.data / "base").rglob("*") if path.is_file())


def test_a_server_that_is_away_for_a_moment_is_waited_for(postgres: PostgresServer, state: State) -> None:
    store = TokenStore(state)
    made = store.add("ann", "read")
    found: list[object] = []

    def work() -> None:
        found.append(store.verify(made.text))
        found.append(store.add("bob", "read"))

    postgres.kill()
    working = threading.Thread(target=work)
    working.start()
    postgres.start()
    working.join()
    assert None not in found
    assert len(found) == 2
    assert [token.name for token in store.list_tokens()] == ["ann", "bob"]


def test_a_server_that_stays_away_is_an_overload(
    postgres: PostgresServer, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("histoseek.server.state.postgres._WAIT_S", 0.2)
    postgres.kill()
    try:
        with pytest.raises(Overloaded) as caught:
            state.check_readable()
        with pytest.raises(Overloaded), state.open_transaction():
            pass
    finally:
        postgres.start()
    assert (caught.value.status, caught.value.retry_after_s) == (503, 5)
    state.check_readable()


def test_addresses_that_do_not_work_are_one_line(postgres: PostgresServer, tmp_path: Path) -> None:
    with pytest.raises(AccessDenied, match="password"):
        State(tmp_path / "state", address=postgres.address("a", password="wrong"))
    with pytest.raises(ConfigurationError, match="names no database"):
        State(tmp_path / "state", address=f"postgresql://127.0.0.1:{postgres.port}/only")
