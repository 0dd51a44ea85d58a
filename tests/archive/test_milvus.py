"""Milvus keeps the contracts of files and of stores, against one real server.

All in one file: a server takes a while to start.
"""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings

from histoseek.archive.filters.column_types import check_filter
from histoseek.archive.filters.expression import (
    Column,
    Comparison,
    Expression,
    HasAny,
    In,
    IsNull,
    Literal,
    Not,
    all_of,
    compare,
)
from histoseek.archive.remote.base import RemoteFiles
from histoseek.archive.remote.milvus.connection import Database, MilvusAddress, connect
from histoseek.archive.remote.milvus.files import MilvusFiles, make_files_collection
from histoseek.archive.schema import LanguageVectors, to_table
from histoseek.archive.stores.base import Engine, Store, StorePlace
from histoseek.archive.stores.milvus.store import MilvusStore
from histoseek.errors import AccessDenied, DamagedArchive, InputError, ServerUnreachable, ServerUnsuited
from histoseek.settings import get_settings
from tests.archive import filtering
from tests.archive.filtering import KINDS, OWN, TEXTS, Row, evaluate
from tests.archive.remote.copies_contract import *  # noqa: F403
from tests.archive.remote.files_contract import *  # noqa: F403
from tests.archive.store_contract import *  # noqa: F403
from tests.archive.store_contract import SCHEMA, ids, scanned
from tests.archive.test_store import make_slide
from tests.servers.milvus import MilvusServer, start_milvus

LEASE_S = 3.0

_NUMBERS = itertools.count()
_ARCHIVES = 24


@pytest.fixture(scope="module")
def server() -> Iterator[MilvusServer]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = start_milvus(Path(folder) / "milvus")
        # A collection takes two seconds to be served: they are made ahead, all at once.
        with ThreadPoolExecutor(_ARCHIVES) as pool:
            list(pool.map(lambda number: make_files_collection(*connect(_address(server, number))), range(_ARCHIVES)))
        yield server
        server.kill()


def _address(server: MilvusServer, number: int) -> str:
    return f"milvus://{server.host}/files{number}"


@dataclass(frozen=True)
class OpenFiles:
    address: str

    def __call__(self) -> RemoteFiles:
        return MilvusFiles(self.address, LEASE_S)


@pytest.fixture
def opener(server: MilvusServer) -> Callable[[], RemoteFiles]:
    return OpenFiles(_address(server, next(_NUMBERS)))


@pytest.fixture
def files(opener: Callable[[], RemoteFiles]) -> RemoteFiles:
    return opener()


@pytest.fixture
def neighbour(opener: OpenFiles) -> RemoteFiles:
    return MilvusFiles(f"{opener.address}0", LEASE_S)


@pytest.fixture
def engine() -> Engine:
    return MilvusStore


@pytest.fixture
def place(server: MilvusServer, tmp_path: Path) -> StorePlace:
    """One for all: a store that is made in place of another one only empties its collections."""
    return StorePlace(tmp_path / "store", f"milvus://{server.host}/slides")


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """By slide id, a value or nothing for each column; all texts are there."""
    drawn = random.Random(0)
    made = {f"s{n:02d}": {name: drawn.choice((*own, None)) for name, own in OWN.items()} for n in range(40)}
    for slide_id, text in zip(made, TEXTS, strict=False):
        made[slide_id]["word"] = text
    made["s39"]["word"] = "long " * 400
    return made


@pytest.fixture(scope="module")
def kept(server: MilvusServer, tmp_path_factory: pytest.TempPathFactory, rows: Mapping[str, Row]) -> Store:
    place = StorePlace(tmp_path_factory.mktemp("kept") / "store", f"milvus://{server.host}/filters")
    store = MilvusStore.create(place, SCHEMA)
    store.add_columns(KINDS)
    slides = []
    for number, (slide_id, row) in enumerate(rows.items()):
        own = {"patient_id": row["patient_id"], "organ": row["organ"], "extra": {name: row[name] for name in KINDS}}
        language = LanguageVectors(report_tokens=" a ", report_facts=row["report_facts"])
        slides.append(replace(make_slide(slide_id, number, **own), language=language))
    store.upsert(to_table(slides, store.schema))
    return store.snapshot()


_NUMBER = Column("number")


@given(expression=filtering.FILTERS)
@settings(max_examples=40)
@example(compare("number", "<", 10**25))
@example(Comparison(_NUMBER, ">", Literal(60.5)))
@example(all_of(*(compare("number", "<>", number) for number in range(900))))
@example(Not(In(Column("organ"), ("it's", "a\\", '"q"'))))
@example(Not(HasAny(Column("report_facts"), ("it's:a", "finding:größe"))))
@example(IsNull(Column("word")))
def test_a_filter_keeps_what_is_true(kept: Store, rows: Mapping[str, Row], expression: Expression) -> None:
    check_filter(expression, {column.name: column.type for column in kept.schema}, kept.schema.names)
    wanted = [slide_id for slide_id, row in rows.items() if evaluate(expression, row) is True]
    assert ids(kept, expression) == wanted
    assert kept.count(expression) == len(wanted)


@pytest.fixture
def address(server: MilvusServer) -> Iterator[str]:
    address = f"milvus://{server.host}/copies{next(_NUMBERS)}"
    yield address
    MilvusFiles(address).drop()


@pytest.fixture
def stops() -> tuple[int, ...]:
    """Every command takes a while."""
    return (30,)


def put_some(store: Store, first: int, count: int) -> None:
    slides = [make_slide(f"s{number:04d}", number) for number in range(first, first + count)]
    store.upsert(to_table(slides, store.schema))


def test_a_killed_server_loses_and_doubles_nothing(engine: Engine, place: StorePlace, server: MilvusServer) -> None:
    """Killed while rows are written and searched, and started again meanwhile: what was told to be there is there."""
    store = engine.create(place, SCHEMA)
    put_some(store, 0, 20)
    query = make_slide("q", 3).signature.global_vector
    written, found = [20], [0]

    def write() -> None:
        for step in range(12):
            put_some(store, written[0], 10)
            written[0] += 10
            if step == 3:
                server.kill()
                server.restart()

    def search() -> None:
        reader = engine.open(place)
        while not writing.done():
            least = written[0]
            near = reader.nearest(query, 500, None, "global_vector")
            assert len({one.slide_id for one in near}) == len(near) >= least
            found[0] = len(near)

    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(write)
        searching = pool.submit(search)
        writing.result()
        searching.result()
    assert found[0] >= 20
    again = engine.open(place)
    assert ids(again) == [f"s{number:04d}" for number in range(140)]
    assert again.count(None) == 140
    assert list(again.list_faults(deep=True)) == []


def test_rows_of_a_newer_version_are_refused(
    engine: Engine, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.create(place, SCHEMA)
    monkeypatch.setattr("histoseek.archive.stores.milvus.store.FORMAT", 0)
    with pytest.raises(ServerUnsuited, match="newer version of histoseek"):
        engine.open(place)


def test_a_commit_that_was_cut_off_is_taken_back(
    engine: Engine, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = engine.create(place, SCHEMA)
    put_some(store, 0, 5)
    before = store.snapshot()
    for last in ("rows", "payload"):
        with monkeypatch.context() as patch:
            insert = Database.insert

            def fail(self: Database, name: str, entities: Sequence[Mapping[str, Any]], *checks: Any) -> None:
                insert(self, name, entities, *checks)  # noqa: B023
                if name.endswith(last):  # noqa: B023
                    raise ServerUnreachable("milvus://here", "it was killed")

            patch.setattr(Database, "insert", fail)
            with pytest.raises(ServerUnreachable):
                put_some(engine.open(place), 3, 5)
        other = engine.open(place)
        assert ids(other) == ids(before) == [f"s{number:04d}" for number in range(5)]
        assert len(other.nearest(make_slide("q", 3).signature.global_vector, 50, None, "global_vector")) == 5
        # Either way it is as if it had not been.
        if last == "rows":
            assert "taken back" in str(engine.repair(place))
            assert engine.repair(place) is None
        else:
            put_some(other, 20, 1)
    assert ids(engine.open(place)) == [*(f"s{number:04d}" for number in range(5)), "s0020"]
    assert list(engine.open(place).list_faults(deep=True)) == []


def test_values_of_all_sizes_come_back(engine: Engine, place: StorePlace) -> None:
    store = engine.create(place, SCHEMA)
    store.add_columns({"note": pa.string(), "size": pa.float64(), "at": pa.timestamp("us", tz="UTC")})
    reports = ["", "short", "Größe 🔬 " * 40_000, None]
    notes = ["", "n" * 5000, None, "\0"]
    sizes = [float("inf"), 0.1, None, -0.0]
    slides = [
        make_slide(f"s{number}", number, report=report, extra={"note": note, "size": size, "at": None})
        for number, (report, note, size) in enumerate(zip(reports, notes, sizes, strict=True))
    ]
    store.upsert(to_table(slides, store.schema))
    rows = scanned(store, None, "slide_id", "report", "note", "size")
    assert rows == [(f"s{n}", *values) for n, values in enumerate(zip(reports, notes, sizes, strict=True))]
    assert ids(store, compare("note", "=", "n" * 5000)) == ["s1"]
    assert ids(store, IsNull(Column("note"))) == ["s2"]


@pytest.mark.parametrize(
    ("address", "error", "text"),
    [
        ("milvus://127.0.0.1:1/a", ServerUnreachable, "cannot be reached"),
        ("milvus://{host}/nowhere/a", ServerUnsuited, "no database 'nowhere'"),
        ("milvus://{host}/a-b", InputError, "can't be an archive's name"),
        ("milvus://{host}/a?x=1", InputError, "unknown parameter 'x'"),
        ("milvus://{host}", InputError, "is no address"),
        ("milvus://me:secret@{host}/absent", DamagedArchive, "its rows are not there"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    server: MilvusServer, monkeypatch: pytest.MonkeyPatch, address: str, error: type[Exception], text: str
) -> None:
    monkeypatch.setenv("HISTOSEEK_SERVER_SECONDS", "2")
    get_settings.cache_clear()
    with pytest.raises(error, match=text) as caught:
        MilvusStore.open(StorePlace(Path("unused"), address.format(host=server.host)))
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_older_server_is_not_used(server: MilvusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymilvus.MilvusClient.get_server_version", lambda self, timeout: "v2.2.16")
    address = MilvusAddress.parse(f"milvus://{server.host}/old")
    with pytest.raises(ServerUnsuited, match=r"Milvus v2\.2\.16 is too old"):
        Database(address).list_names("")


def test_a_filter_hides_no_neighbour(engine: Engine, place: StorePlace) -> None:
    """Of parts without a graph the server looks at some of the vectors only, whatever a filter leaves of these."""
    store = engine.create(place, SCHEMA)
    slides = [make_slide(f"s{number:04d}", number, organ=f"o{number % 40}") for number in range(2400)]
    store.upsert(to_table(slides, store.schema))
    vectors = np.stack([one.signature.global_vector for one in slides])
    for asked in (0, 7, 11):
        near = store.nearest(vectors[asked], 20, compare("organ", "=", "o3"), "global_vector")
        cosines = vectors[3::40] @ vectors[asked]
        best = [f"s{3 + 40 * one:04d}" for one in np.argsort(-cosines, kind="stable")[:20]]
        assert [one.slide_id for one in near] == best


def test_only_a_right_token_lets_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    guarded = start_milvus(tmp_path / "guarded", access_control=True)
    try:
        for token in ("", "root:wrong"):
            monkeypatch.setenv("MILVUS_TOKEN", token)
            with pytest.raises(AccessDenied, match="MILVUS_TOKEN"):
                MilvusFiles(f"milvus://{guarded.host}/a").list_files()
        monkeypatch.setenv("MILVUS_TOKEN", guarded.token)
        assert MilvusFiles(f"milvus://{guarded.host}/a").list_files() == {}
    finally:
        guarded.kill()
