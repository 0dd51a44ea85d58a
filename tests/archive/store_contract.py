"""What every engine must do, against `Store` alone.

A file of tests of an engine imports all of this, and has the fixtures `engine` and `place`, of a store that is not
there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from histoseek.archive.filters.expression import (
    HAS_REPORT,
    And,
    Call,
    Column,
    Expression,
    HasAny,
    HasPhrase,
    IsNull,
    IsTrue,
    Literal,
    Not,
    Or,
    compare,
    one_of,
)
from histoseek.archive.schema import ANALYSER_KEY, LanguageVectors, StoredSlide, make_slides_schema, to_slides, to_table
from histoseek.archive.stores.base import ROW, Engine, Store, StorePlace, TracksRows
from histoseek.errors import DamagedArchive
from tests.archive.tables import DIMENSION
from tests.archive.test_store import make_slide, same

SCHEMA = make_slides_schema(DIMENSION, "mark-1")


@pytest.fixture
def store(engine: Engine, place: StorePlace) -> Store:
    return engine.create(place, SCHEMA)


def slide(number: int, tokens: str | None = None, facts: Sequence[str] | None = None, **record: object) -> StoredSlide:
    made = make_slide(f"s{number:02d}", number, **record)
    read = LanguageVectors(report_tokens=tokens, report_facts=tuple(facts) if facts is not None else None)
    return StoredSlide(made.record, made.signature, read)


def put(store: Store, *slides: StoredSlide) -> None:
    store.upsert(to_table(slides, store.schema))


def scanned(store: Store, where: Expression | None, *columns: str) -> list[tuple[object, ...]]:
    rows = pa.Table.from_batches(store.scan(columns or ("slide_id",), where))
    assert tuple(rows.column_names) == (columns or ("slide_id",))
    return sorted(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))


def ids(store: Store, where: Expression | None = None) -> list[object]:
    return [one for (one,) in scanned(store, where)]


def taken(store: Store, slide_ids: Sequence[str]) -> list[StoredSlide]:
    view = store.snapshot()
    numbers = {slide_id: row for row, slide_id in scanned(view, None, ROW, "slide_id")}
    rows = view.take(np.array([numbers[one] for one in slide_ids], np.uint64), view.schema.names)
    return to_slides(rows.sort_by("slide_id"))


def test_an_empty_store(store: Store) -> None:
    assert store.count(None) == 0
    assert ids(store) == []
    assert store.schema.names == SCHEMA.names
    assert store.schema.field("report_tokens").metadata[ANALYSER_KEY] == b"mark-1"
    assert store.nearest(np.ones(DIMENSION, np.float32), 3, None, "global_vector") == []
    assert store.text({"a": 1.0}, 3, None) == []
    assert store.stats().rows == 0


def test_rows_come_back_to_the_bit(store: Store) -> None:
    slides = [slide(n, f" a{n} ", [f"f:{n}"], report='Line one\n"it\'s" µm', patient_id="007") for n in range(5)]
    put(store, *slides)
    for one, number in zip(taken(store, ["s03", "s00"]), (0, 3), strict=True):
        assert same(one, slides[number])
    assert taken(store, ["s02"])[0].language.report_facts == ("f:2",)
    assert taken(store, []) == []


def test_upserting_replaces_and_deleting_ignores_what_is_not_there(store: Store) -> None:
    put(store, slide(1, organ="lung"), slide(2, organ="lung"))
    put(store, slide(2, organ="colon"), slide(3, organ="it's"))
    assert scanned(store, None, "slide_id", "organ") == [("s01", "lung"), ("s02", "colon"), ("s03", "it's")]
    store.delete(["s01", "nobody", "it's"])
    assert ids(store) == ["s02", "s03"]
    assert store.count(None) == store.stats().rows == 2


def test_what_was_committed_is_there_when_opened_again(store: Store, engine: Engine, place: StorePlace) -> None:
    reader = engine.open(place)
    assert engine.exists(place)
    put(store, slide(1))
    store.add_columns({"age": pa.int64()})
    assert ids(reader) == ids(engine.open(place)) == ["s01"]
    assert "age" in reader.schema.names
    other = replace(place, folder=place.folder / "none", number=place.number + 1)
    assert not engine.exists(other)
    with pytest.raises(DamagedArchive):
        engine.open(other)
    engine.drop(place)
    assert not engine.exists(place)


def test_a_snapshot_stays_and_is_the_same_until_something_changes(store: Store) -> None:
    put(store, slide(1), slide(2))
    before = store.snapshot()
    assert store.snapshot() is before
    assert before.snapshot() is before
    assert before.version == store.version
    store.delete(["s01"])
    put(store, slide(3))
    store.add_columns({"age": pa.int64()})
    store.optimize()
    assert ids(before) == ["s01", "s02"]
    assert before.count(None) == 2
    assert "age" not in before.schema.names
    assert same(to_slides(before.take(_numbers(before)[:1], before.schema.names))[0], make_slide("s01", 1))
    after = store.snapshot()
    assert after is not before
    assert after.version != before.version
    assert ids(after) == ["s02", "s03"]


def _numbers(view: Store) -> np.ndarray:
    return np.array([row for _, row in scanned(view, None, "slide_id", ROW)], np.uint64)


def test_columns_are_added_empty_and_once(store: Store) -> None:
    put(store, slide(1))
    for _ in range(2):
        # Tables of some engines have columns of their own, such as the second one.
        store.add_columns({"age": pa.int64(), "xmin": pa.int64(), "report_vector": pa.list_(pa.float32(), 3)})
    assert scanned(store, IsNull(Column("age")), "slide_id", "age") == [("s01", None)]
    put(store, slide(2, extra={"age": 61, "xmin": 3}))
    assert ids(store, compare("age", ">", 60.5)) == ["s02"]
    assert scanned(store, compare("xmin", "=", 3), "slide_id", "xmin") == [("s02", 3)]


O1 = compare("organ", "=", "o1")
FILTERS: Mapping[str, tuple[Expression, Callable[[int], bool]]] = {
    "equal": (O1, lambda n: n % 4 == 1),
    "unequal leaves out what is empty": (compare("organ", "<>", "o1"), lambda n: n % 4 in (0, 2)),
    "not true keeps what is empty": (Not(IsTrue(O1)), lambda n: n % 4 != 1),
    "null": (IsNull(Column("organ")), lambda n: n % 4 == 3),
    "listed": (one_of("patient_id", ["p0", "p1", "p9"]), lambda n: n // 2 in (0, 1, 9)),
    "none": (one_of("patient_id", []), lambda n: False),
    "and": (
        And((O1, compare("slide_id", ">=", "s09"))),
        lambda n: n % 4 == 1 and n > 8,
    ),
    "or": (
        Or((O1, compare("slide_id", "=", "s02"))),
        lambda n: n % 4 == 1 or n == 2,
    ),
    "facts": (HasAny(Column("report_facts"), ("grade:2", "no")), lambda n: n % 5 == 2),
    "no facts": (Not(HasAny(Column("report_facts"), ("grade:2",))), lambda n: n % 5 in (0, 1, 3)),
    "all": (Literal(True), lambda n: True),
}


@pytest.fixture
def filled(store: Store) -> Store:
    put(
        store,
        *(
            slide(
                n,
                f" kidney word{n} " + "tumour " * (n % 3) if n % 5 != 4 else None,
                [f"grade:{n % 5}"] if n % 5 != 4 else None,
                organ=f"o{n % 4}" if n % 4 != 3 else None,
                patient_id=f"p{n // 2}",
                report="text" if n % 5 != 4 else None,
            )
            for n in range(20)
        ),
    )
    return store


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("optimized", [False, True])
def test_filters_are_the_same_for_all_that_take_one(filled: Store, name: str, optimized: bool) -> None:
    if optimized:
        filled.optimize()
    where, fits = FILTERS[name]
    wanted = [f"s{n:02d}" for n in range(20) if fits(n)]
    assert ids(filled, where) == wanted
    assert filled.count(where) == len(wanted)
    query = make_slide("q", 77).signature.global_vector
    near = filled.nearest(query, 50, where, "global_vector")
    assert sorted(one.slide_id for one in near) == wanted
    if filled.capabilities.full_text:
        worded = [one for one in wanted if int(one[1:]) % 5 != 4]
        assert sorted(hit.slide_id for hit in filled.text({"kidney": 1.0}, 50, where)) == worded


def test_nearest_is_by_cosine_and_ties_by_id(filled: Store) -> None:
    twin = make_slide("s99", 3)
    put(filled, StoredSlide(twin.record, twin.signature))
    query = twin.signature.global_vector * 2
    vectors = {f"s{n:02d}": make_slide("x", n).signature.global_vector for n in range(20)} | {"s99": query / 2}
    naive = sorted(vectors, key=lambda one: (round(1 - float(vectors[one] @ query) / 2, 6), one))[:6]
    near = filled.nearest(query, 6, None, "global_vector")
    assert [one.slide_id for one in near] == naive
    assert naive[:2] == ["s03", "s99"]
    assert near[0].cosine_distance == pytest.approx(0, abs=1e-5)


def test_slides_without_a_vector_are_not_near(store: Store) -> None:
    store.add_columns({"report_vector": pa.list_(pa.float32(), 3)})
    vector = np.array([0, 0.6, 0.8], np.float32)
    one, two = slide(1), slide(2)
    put(store, one, StoredSlide(two.record, two.signature, LanguageVectors(report_vector=vector)))
    assert [near.slide_id for near in store.nearest(vector, 5, None, "report_vector")] == ["s02"]


def test_text_is_ranked_by_weighted_words(filled: Store) -> None:
    if not filled.capabilities.full_text:
        pytest.skip("this engine has no full-text search")
    hits = filled.text({"tumour": 1.0, "word7": 5.0}, 50, None)
    assert hits[0].slide_id == "s07"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert {int(hit.slide_id[1:]) % 3 for hit in hits} == {1, 2}
    assert len(filled.text({"kidney": 1.0}, 3, None)) == 3
    assert filled.text({"nothing": 1.0}, 3, None) == []
    put(filled, slide(40, " tumour late "))
    assert [hit.slide_id for hit in filled.text({"late": 1.0}, 3, HAS_REPORT)] == []
    assert [hit.slide_id for hit in filled.text({"late": 1.0}, 3, None)] == ["s40"]


def test_text_that_is_spelled_almost_alike(filled: Store) -> None:
    if not filled.capabilities.spelling:
        pytest.skip("this engine knows no spelling")
    filled.optimize()
    assert filled.text({"tumuor": 1.0}, 50, None) == []
    assert filled.text({"tumuor": 1.0}, 50, None, spelling=True)


def test_optimizing_changes_nothing_that_is_read(filled: Store) -> None:
    before = scanned(filled, None, "slide_id", "organ", "report_tokens")
    filled.optimize()
    assert scanned(filled, None, "slide_id", "organ", "report_tokens") == before
    stats = filled.stats()
    assert (stats.rows, stats.versions >= 1, stats.bytes > 0) == (20, True, True)


CARCINOMA = Call("contains", (Column("report_tokens"), Literal(" carcinoma ")))
NECROSIS = Call("contains", (Column("report_tokens"), Literal(" necrosi ")))
PHRASE = HasPhrase(Column("report"), ("clear", "cell"))
LUNG = HasAny(Column("report_facts"), ("organ:lung",))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (CARCINOMA, ["s01", "s02"]),
        (Or((CARCINOMA, NECROSIS)), ["s01", "s02", "s03"]),
        (Not(IsTrue(CARCINOMA)), ["s03", "s04"]),
        (Not(CARCINOMA), ["s03"]),
        (Not(IsTrue(And((CARCINOMA, NECROSIS)))), ["s01", "s03", "s04"]),
        (PHRASE, ["s01", "s03"]),
        (Not(IsTrue(PHRASE)), ["s02", "s04"]),
        (And((PHRASE, Not(IsTrue(LUNG)))), ["s03"]),
        (Not(IsTrue(LUNG)), ["s03", "s04"]),
        (And((HAS_REPORT, Not(IsTrue(LUNG)))), ["s03"]),
        (Not(HAS_REPORT), ["s04"]),
        (Call("contains", (Column("report_tokens"), Literal("carci"))), ["s01", "s02"]),
        (And((PHRASE, Literal(False))), []),
    ],
    ids=str,
)
def test_a_snapshot_answers_what_the_store_answers(store: Store, where: Expression, expected: list[str]) -> None:
    put(
        store,
        slide(1, " clear cell carcinoma ", ["organ:lung"], report="A Clear-cell carcinoma."),
        slide(2, " carcinoma clear necrosi cell ", ["organ:lung"], report="Carcinoma, clear. Necrosis of a cell."),
    )
    store.optimize()
    put(store, slide(3, " clear cell necrosi ", ["organ:breast"], report="Clear\ncell, necrosis."), slide(4))
    for view in (store, store.snapshot()):
        assert ids(view, where) == expected
        assert view.count(where) == len(expected)
        near = view.nearest(np.eye(DIMENSION, dtype=np.float32)[0], 9, where, "global_vector")
        assert sorted(neighbour.slide_id for neighbour in near) == expected
        if view.capabilities.full_text:
            hits = view.text({"clear": 1.0, "cell": 0.5}, 9, where)
            assert sorted(hit.slide_id for hit in hits) == [one for one in expected if one != "s04"]


def test_many_tokens_are_weighed_like_few(store: Store) -> None:
    if not store.capabilities.full_text:
        pytest.skip("this engine has no full-text search")
    put(
        store,
        *(slide(number, f" {' '.join(f't{number + step}' for step in range(0, 40, 2))} ") for number in range(12)),
    )
    weights = {f"t{number}": (1.0, 0.4, 0.2)[number % 3] for number in range(60)}
    sums: dict[str, float] = {}
    for token, weight in weights.items():
        for hit in store.text({token: weight}, 12, None):
            sums[hit.slide_id] = sums.get(hit.slide_id, 0.0) + hit.score
    few = store.text(weights, 12, None)
    many = store.text({**weights, **{f"none{number}": 0.2 for number in range(60)}}, 12, None)
    assert {hit.slide_id: pytest.approx(hit.score, rel=1e-4) for hit in many} == sums
    assert [hit.slide_id for hit in many] == [hit.slide_id for hit in few]


def rows_by_number(store: Store) -> dict[int, str]:
    return dict(scanned(store, None, ROW, "slide_id"))  # type: ignore[arg-type]


def test_changes_tell_the_rows_of_one_version_from_those_of_any_other(store: Store) -> None:
    if not isinstance(store, TracksRows):
        pytest.skip("the engine does not track rows")
    put(store, *(slide(number) for number in range(8)))
    seen: list[tuple[str, dict[int, str]]] = []
    for step in range(6):
        if step == 1:
            store.delete(["s01"])
        elif step == 2:
            put(store, slide(2, report="new"), slide(20))
        elif step == 3:
            store.optimize()
        elif step == 4:
            rows = pa.table({"slide_id": ["s03"], "report_tokens": [" fatty "]})
            store.fill(rows)
        elif step == 5:
            store.erase()
        view = store.snapshot()
        assert isinstance(view, TracksRows)
        own = rows_by_number(view)
        for mark, before in [*seen, (view.rows_mark, own)]:
            changes = view.changes_since(mark)
            assert changes is not None
            ended, added = set(changes.ended.tolist()), set(changes.added.tolist())
            assert own.keys() == (before.keys() - ended) | added
            assert added <= own.keys()
            assert all(own[number] == before[number] for number in before.keys() - ended)
            assert not (added & before.keys()) - ended
        assert not view.changes_since(view.rows_mark).added.size
        seen.append((view.rows_mark, own))
    assert store.snapshot().changes_since("nonsense") is None


def test_a_row_that_is_written_again_is_told_as_changed(store: Store) -> None:
    if not isinstance(store, TracksRows):
        pytest.skip("the engine does not track rows")
    put(store, *(slide(number) for number in range(40)))
    mark = store.snapshot().rows_mark
    put(store, slide(7, organ="liver"))
    view = store.snapshot()
    changes = view.changes_since(mark)
    added = {rows_by_number(view)[number] for number in changes.added.tolist()}
    assert added == {"s07"}
    assert changes.ended.size == 1


def test_rows_that_are_taken_say_their_numbers(store: Store) -> None:
    put(store, *(slide(number) for number in range(12)))
    view = store.snapshot()
    numbers = rows_by_number(view)
    asked = np.array(sorted(numbers)[3:9], np.uint64)
    rows = view.take(asked, ["slide_id", "global_vector", ROW])
    assert set(rows.column_names) == {"slide_id", "global_vector", ROW}
    taken = dict(zip(rows[ROW].to_pylist(), rows["slide_id"].to_pylist(), strict=True))
    assert taken == {number: numbers[number] for number in asked.tolist()}
