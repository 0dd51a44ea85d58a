"""What the store on PostgreSQL does beyond the contract of stores."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from histoseek.archive.filters.expression import Call, Column, Comparison, Expression, IsNull, Literal, Not, compare
from histoseek.archive.remote.postgres.connection import connect
from histoseek.archive.schema import make_slides_schema, to_table
from histoseek.archive.stores.base import ROW, StorePlace
from histoseek.archive.stores.lance.store import LanceStore
from histoseek.archive.stores.postgres import tables
from histoseek.archive.stores.postgres.store import PostgresStore
from histoseek.errors import DamagedArchive, InputError, OutdatedSnapshot, ServerUnsuited
from histoseek.settings import get_settings
from tests.archive.store_contract import SCHEMA, ids, put, scanned, slide
from tests.archive.tables import DIMENSION
from tests.archive.test_store import make_slide
from tests.servers.postgres import PostgresServer
from tests.waiting import wait_for

NUMBERS = count(1)


@pytest.fixture
def place(tmp_path: Path, postgres: PostgresServer) -> Iterator[StorePlace]:
    address = postgres.address(f"own{next(NUMBERS)}")
    yield StorePlace(tmp_path / "kept", address)
    connect(address).drop()
    connect(address).close()


@pytest.fixture
def store(place: StorePlace) -> PostgresStore:
    return PostgresStore.create(place, SCHEMA)


@pytest.fixture
def no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISTOSEEK_HISTORY_MINUTES", "0")
    get_settings.cache_clear()


def name_schema(place: StorePlace) -> str:
    return f'"{connect(place.address).schema}"'


def draw_rows(count: int, schema: pa.Schema) -> tuple[pa.Table, np.ndarray]:
    """Slides in groups of like vectors, with an organ for each tenth, and their vectors."""
    rng = np.random.default_rng(3)
    kinds = rng.standard_normal((40, DIMENSION))
    vectors = (kinds[rng.integers(0, 40, count)] + 0.5 * rng.standard_normal((count, DIMENSION))).astype(np.float32)
    one = to_table([make_slide("s", 1)], schema)
    columns = {name: pa.chunked_array([one[name].chunk(0)] * count) for name in schema.names}
    columns["slide_id"] = pa.array([f"s{number:05d}" for number in range(count)])
    columns["organ"] = pa.array([f"o{number % 10}" for number in range(count)])
    columns["global_vector"] = pa.array(list(vectors), schema.field("global_vector").type)
    return pa.table(columns, schema=schema), vectors


@pytest.mark.usefixtures("no_history")
def test_many_rows_are_searched_by_an_index_that_finds_what_is_nearest(
    store: PostgresStore, place: StorePlace, postgres: PostgresServer
) -> None:
    rows, vectors = draw_rows(6000, SCHEMA)
    store.upsert(rows)
    store.optimize()
    store.delete([f"s{number:05d}" for number in range(0, 6000, 7)])
    view = store.snapshot()
    schema = name_schema(place)[1:-1]
    scans = f"SELECT idx_scan FROM pg_stat_all_indexes WHERE schemaname = '{schema}' AND indexrelname LIKE 'near_%'"
    assert postgres.execute(scans) == [(0,)]
    organs: list[tuple[Expression | None, set[int]]] = [
        (None, set(range(10))),
        (compare("organ", "<=", "o4"), {*range(5)}),
    ]
    for where, kept in organs:
        found = wanted = 0
        for query in vectors[5:2000:100]:
            there = [n for n in range(6000) if n % 7 and n % 10 in kept]
            near = vectors[there] @ query / np.linalg.norm(vectors[there], axis=1) / np.linalg.norm(query)
            naive = {f"s{there[place]:05d}" for place in np.argsort(-near)[:10]}
            hits = view.nearest(query, 10, where, "global_vector")
            assert [hit.cosine_distance for hit in hits] == sorted(hit.cosine_distance for hit in hits)
            assert hits[0].cosine_distance == pytest.approx(1 - near.max(), abs=1e-5)
            found += len(naive & {hit.slide_id for hit in hits})
            wanted += 10
        assert found / wanted >= 0.99
    connect(place.address).close()
    wait_for(lambda: postgres.execute(scans) > [(30,)])
    few = view.nearest(vectors[3], 3000, compare("organ", "=", "o3"), "global_vector")
    assert len(few) == sum(number % 7 > 0 for number in range(3, 6000, 10))


def test_words_are_scored_as_the_embedded_store_does(store: PostgresStore, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    embedded = LanceStore.create(StorePlace(tmp_path / "embedded"), SCHEMA)
    slides = []
    for number in range(60):
        words = [f"t{word}" for word in np.minimum(rng.zipf(1.5, int(rng.integers(1, 40))), 30)]
        slides.append(slide(number, f" {' '.join(words)} " if number % 7 else None, organ=f"o{number % 3}"))
    for one in (store, embedded):
        put(one, *slides[:20])
        put(one, *slides[20:])
        one.optimize()
    for weights in ({"t1": 1.0}, {"t1": 1.0, "t5": 0.3, "t9": 2.0}, {f"t{number}": 0.5 for number in range(30)}):
        for where in (None, compare("organ", "=", "o1")):
            ours, theirs = (one.text(weights, 10, where) for one in (store, embedded))
            assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=2e-4)
            everything = {hit.slide_id: hit.score for hit in embedded.text(weights, 100, where)}
            assert all(hit.score == pytest.approx(everything[hit.slide_id], abs=2e-4) for hit in ours)


@pytest.mark.usefixtures("no_history")
def test_words_are_those_of_the_last_rows_also_once_their_pieces_were_joined(store: PostgresStore) -> None:
    for step in range(4):
        put(store, *(slide(number, f" kept{number} step{step} ") for number in range(5)))
    store.delete(["s04"])
    before = {token: store.text({token: 1.0}, 9, None) for token in ("kept1", "kept4", "step1", "step3")}
    store.optimize()
    assert {token: store.text({token: 1.0}, 9, None) for token in before} == before
    assert [len(hits) for hits in before.values()] == [1, 0, 0, 4]


def test_columns_that_are_filled_leave_what_was_there_and_older_versions(store: PostgresStore) -> None:
    store.add_columns({"report_vector": pa.list_(pa.float32(), 3)})
    put(store, *(slide(number, f" old{number} ", organ="lung") for number in range(4)))
    before = store.snapshot()
    vectors = pa.array([[0, 0.6, 0.8], [1, 0, 0], [1, 1, 1]], pa.list_(pa.float32(), 3))
    store.fill(pa.table({"slide_id": ["s02", "s00", "nobody"], "report_vector": vectors}))
    store.fill(pa.table({"slide_id": ["s01"], "report_tokens": [" new "]}))
    assert ids(before, IsNull(Column("report_vector"))) == ["s00", "s01", "s02", "s03"]
    assert ids(store, Not(IsNull(Column("report_vector")))) == ["s00", "s02"]
    near = store.nearest(np.array([0, 0.6, 0.8], np.float32), 5, compare("organ", "=", "lung"), "report_vector")
    assert [one.slide_id for one in near] == ["s02", "s00"]
    found = {token: [hit.slide_id for hit in store.text({token: 1.0}, 9, None)] for token in ("old2", "old1", "new")}
    assert found == {"old2": ["s02"], "old1": [], "new": ["s01"]}
    assert [hit.slide_id for hit in before.text({"old1": 1.0, "new": 1.0}, 9, None)] == ["s01"]
    assert list(store.list_faults(True)) == []


def test_texts_of_any_characters_come_back_and_are_found(store: PostgresStore) -> None:
    odd = ["a\0b", "\ufdd0", "\ufdd1a", "\0\ufdd1", "x'; DROP TABLE slides_1; --", "%s {} $1 \\", "\u202e\U0001f52c"]
    put(store, *(slide(number, f" {text} ", [text], organ=text, report=text) for number, text in enumerate(odd)))
    assert [organ for _, organ in scanned(store, None, "slide_id", "organ")] == odd
    for number, text in enumerate(odd):
        equal = Comparison(Call("lower", (Column("organ"),)), "=", Literal(text.lower()))
        for where in (compare("organ", "=", text), compare("report", "=", text), equal):
            assert [one for (one,) in scanned(store, where, "slide_id")] == [f"s{number:02d}"]


def test_columns_with_long_names_are_kept_apart(store: PostgresStore) -> None:
    names = [f"{'measured_by_the_other_laboratory_of_the_department' * 2}_{end}" for end in "ab"]
    store.add_columns({names[0]: pa.int64(), names[1]: pa.string()})
    put(store, slide(1, extra={names[0]: 7, names[1]: "x"}))
    assert scanned(store, compare(names[0], "=", 7), *names) == [(7, "x")]


def test_an_id_that_is_too_long_is_refused_and_changes_nothing(store: PostgresStore) -> None:
    put(store, slide(1))
    version = store.version
    long = make_slide("ä" * 1001, 2)
    with pytest.raises(InputError, match="longer than the 2000 bytes"):
        put(store, long)
    assert (store.version, store.count(None)) == (version, 1)


@pytest.mark.usefixtures("no_history")
def test_a_snapshot_of_a_removed_version_says_so(store: PostgresStore, place: StorePlace) -> None:
    put(store, slide(1))
    old = store.snapshot()
    mark = old.mark
    assert scanned(PostgresStore.open(place, mark), None, "slide_id") == [("s01",)]
    store.delete(["s01"])
    store.optimize()
    for reading in (lambda: old.count(compare("organ", "=", "x")), lambda: PostgresStore.open(place, mark)):
        with pytest.raises(OutdatedSnapshot):
            reading()
    with pytest.raises(OutdatedSnapshot):
        PostgresStore.open(place, "1@00000000-0000-0000-0000-000000000000")


def test_erasing_leaves_nothing_in_the_tables_files(
    store: PostgresStore, place: StorePlace, postgres: PostgresServer
) -> None:
    put(store, *(slide(number, f" zebrawort{number}x ", report=f"zebrawort{number}x") for number in range(30)))
    store.optimize()
    put(store, slide(1, " anders ", report="anders"))
    store.delete([f"s{number:02d}" for number in range(2, 30)])
    store.erase()
    postgres.execute("CHECKPOINT")
    files = [path.read_bytes() for path in (postgres.data / "base").rglob("*") if path.is_file()]
    found = {number for number in range(30) for data in files if b"zebrawort%dx" % number in data}
    assert found == {0}
    assert scanned(store, None, "slide_id", "report") == [("s00", "zebrawort0x"), ("s01", "anders")]
    assert [hit.slide_id for hit in store.text({"zebrawort0x": 1.0, "zebrawort5x": 1.0}, 9, None)] == ["s00"]
    assert list(store.list_faults(True)) == []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("DELETE FROM {}.slides_1 WHERE slide_id = 's01'", "1 rows more or less than were committed"),
        ("INSERT INTO {0}.slides_1 SELECT * FROM {0}.slides_1 WHERE slide_id = 's03'", None),
        ("UPDATE {}.slides_1 SET _to_version = 4 WHERE slide_id = 's02'", "end at other versions"),
        ("UPDATE {}.slides_1 SET _from_version = 99 WHERE slide_id = 's02'", "never committed"),
        ("UPDATE {}.slides_1 SET global_vector = 'abcd' WHERE slide_id = 's02'", "no vector in global_vector"),
        ("UPDATE {}.words_1 SET postings = 'x'", "index of words are cut off"),
    ],
)
def test_what_does_not_fit_together_is_found(
    store: PostgresStore, place: StorePlace, postgres: PostgresServer, damage: str, fault: str | None
) -> None:
    put(store, *(slide(number, " a b ") for number in range(5)))
    put(store, slide(1, " c "))
    assert list(store.list_faults(True)) == []
    schema = name_schema(place)
    if fault is None:
        postgres.execute(f"ALTER TABLE {schema}.slides_1 DROP CONSTRAINT slides_1_pkey")
        fault = "several rows"
    postgres.execute(damage.format(schema))
    assert any(fault in one for one in store.list_faults(True))


def test_tables_of_a_newer_version_are_refused_in_one_line(
    store: PostgresStore, place: StorePlace, postgres: PostgresServer
) -> None:
    postgres.execute(f"UPDATE {name_schema(place)}.store_format SET format = 99")
    with pytest.raises(ServerUnsuited, match="are of format 99, this version of histoseek knows up to 1") as refused:
        PostgresStore.open(place).count(None)
    assert "\n" not in str(refused.value)
    with pytest.raises(ServerUnsuited):
        put(store, slide(1))


def test_tables_of_an_older_version_are_brought_up_to_date_while_they_are_repaired(
    store: PostgresStore, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, slide(1))
    monkeypatch.setattr(tables, "FORMAT", 3)
    steps = {number: [f"ALTER TABLE {{schema}}.stores ADD COLUMN new_in_{number} integer"] for number in (2, 3)}
    monkeypatch.setattr(tables, "_STEPS", steps)
    with pytest.raises(ServerUnsuited, match="Run: histoseek upgrade"):
        PostgresStore.open(place).count(None)
    assert PostgresStore.repair(place) is not None
    assert PostgresStore.repair(place) is None
    put(store, slide(2))
    assert scanned(PostgresStore.open(place), None, "slide_id") == [("s01",), ("s02",)]


def test_a_vector_that_was_cut_off_is_damage(store: PostgresStore, place: StorePlace, postgres: PostgresServer) -> None:
    put(store, slide(1))
    postgres.execute(f"UPDATE {name_schema(place)}.slides_1 SET global_vector = 'abcd'")
    with pytest.raises(DamagedArchive, match="not what they should be"):
        scanned(store, None, "slide_id", "global_vector")


def test_spaces_of_one_archive_lie_side_by_side(store: PostgresStore, place: StorePlace) -> None:
    other = StorePlace(place.folder, place.address, 2)
    assert not PostgresStore.exists(other)
    second = PostgresStore.create(other, make_slides_schema(7, "mark-2"))
    put(store, slide(1))
    assert (store.count(None), second.count(None)) == (1, 0)
    PostgresStore.drop(other)
    assert not PostgresStore.exists(other)
    assert scanned(store, None, "slide_id", ROW) == [("s01", 1)]
