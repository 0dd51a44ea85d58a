"""An archive in PostgreSQL answers as the same archive in a folder does, whatever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from histoseek.api import Archive
from histoseek.archive.remote.postgres.connection import connect
from histoseek.archive.stores.remote_slides import RemoteSlides
from histoseek.settings import get_settings
from tests.archive.remote.answers import answer, list_questions, make_archive, require_same_answers
from tests.servers.postgres import PostgresServer

QUESTIONS = 56


@dataclass(frozen=True)
class Pair:
    local: Archive
    address: str


@pytest.fixture(scope="module")
def pair(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("answers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HISTOSEEK_CACHE_DIR", str(folder / "cache"))
        get_settings.cache_clear()
        local, address = make_archive(folder), postgres.address("answers")
        local.copy_to(address)
        yield Pair(local, address)
        connect(address).close()
    get_settings.cache_clear()


def test_exact_answers_are_the_same(pair: Pair) -> None:
    require_same_answers(pair.local, Archive.open(pair.address), QUESTIONS, exact=True)


def test_answers_by_candidates_are_the_same(pair: Pair) -> None:
    require_same_answers(pair.local, Archive.open(pair.address), QUESTIONS // 2, candidates=40)


def test_answers_by_the_servers_candidates_are_nearly_the_same(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISTOSEEK_RANKING_MB", "0")
    get_settings.cache_clear()
    wanted = found = 0
    for question in list_questions(pair.local, QUESTIONS // 2):
        # What an exact search has brought here is used from then on.
        remote = Archive.open(pair.address)
        assert isinstance(remote.store, RemoteSlides)
        assert remote.store.server_candidates is not None
        mine, other = (answer(one, question, candidates=60) for one in (pair.local, remote))
        wanted, found = wanted + len(mine), found + len(set(mine) & set(other))
    assert found >= 0.99 * wanted
