"""One filter means the same to every engine: what it means to a naive evaluator, and to the embedded store.

An engine is added to ENGINES with what makes an empty place for it.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pyarrow as pa
import pytest
from hypothesis import example, given, settings

from histoseek.archive.filters.column_types import check_filter
from histoseek.archive.filters.expression import (
    Call,
    Column,
    Comparison,
    Expression,
    HasAny,
    HasPhrase,
    In,
    IsNull,
    IsTrue,
    Like,
    Literal,
    Not,
    all_of,
    any_of,
    compare,
)
from histoseek.archive.schema import LanguageVectors, make_slides_schema, to_table
from histoseek.archive.stores.base import Engine, Store, StorePlace
from histoseek.archive.stores.lance.store import LanceStore
from tests.archive.filtering import DAYS, FILTERS, KINDS, OWN, TEXTS, TIMES, Row, evaluate
from tests.archive.tables import DIMENSION
from tests.archive.test_store import make_slide

ROWS = 60
WORD, DAY, TIME, NUMBER, SIZE, FRESH = (Column(name) for name in ("word", "day", "time", "number", "size", "fresh"))


@contextmanager
def _postgresql(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, str]]:
    from histoseek.archive.remote.postgres.connection import connect
    from histoseek.archive.stores.postgres.store import PostgresStore

    address = request.getfixturevalue("postgres").address("filters")
    yield PostgresStore, address
    connect(address).drop()
    connect(address).close()


ENGINES: Mapping[str, Callable[[pytest.FixtureRequest], AbstractContextManager[tuple[Engine, str]]]] = {
    "postgresql": _postgresql,
}
"""By name, what gives an engine and the address of an archive that is not there."""


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """By slide id, a value or nothing for each column; all texts are there."""
    drawn = random.Random(0)
    made = {f"s{n:02d}": {name: drawn.choice((*own, None)) for name, own in OWN.items()} for n in range(ROWS)}
    for slide_id, text in zip(made, TEXTS, strict=False):
        made[slide_id]["word"] = text
    return made


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, rows: Mapping[str, Row]) -> Store:
    return fill_store(LanceStore, StorePlace(tmp_path_factory.mktemp("embedded") / "store"), rows)


@pytest.fixture(scope="module", params=ENGINES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, rows: Mapping[str, Row]
) -> Iterator[Store]:
    with ENGINES[request.param](request) as (engine, address):
        yield fill_store(engine, StorePlace(tmp_path_factory.mktemp("kept") / "store", address), rows)


def fill_store(engine: Engine, place: StorePlace, rows: Mapping[str, Row]) -> Store:
    """The rows, the last ten of them behind its indexes."""
    store = engine.create(place, make_slides_schema(DIMENSION, "mark"))
    store.add_columns(KINDS)
    slides = []
    for number, (slide_id, row) in enumerate(rows.items()):
        own = {"patient_id": row["patient_id"], "organ": row["organ"], "extra": {name: row[name] for name in KINDS}}
        language = LanguageVectors(report_tokens=" a ", report_facts=row["report_facts"])
        slides.append(dataclasses.replace(make_slide(slide_id, number, **own), language=language))
    store.upsert(to_table(slides[:-10], store.schema))
    store.optimize()
    store.upsert(to_table(slides[-10:], store.schema))
    return store


def list_kept(store: Store, expression: Expression) -> list[str]:
    return sorted(pa.Table.from_batches(store.scan(["slide_id"], expression))["slide_id"].to_pylist())


@given(expression=FILTERS)
@settings(max_examples=150)
@example(any_of(*(Not(In(WORD, pair)) for pair in (("lung", "x"), ("Lung", "y")))))
@example(Comparison(DAY, "=", Literal(TIMES[1])))
@example(In(TIME, (*DAYS, TIMES[0])))
@example(Comparison(NUMBER, ">", Literal(60.5)))
@example(compare("number", "<", 10**25))
@example(IsTrue(Not(FRESH)))
@example(Comparison(Literal("B"), "<", WORD))
@example(Comparison(Call("upper", (WORD,)), "=", Literal("GRÖSSE SS")))
@example(Comparison(Call("length", (Call("lower", (WORD,)),)), "=", Literal(2)))
@example(Like(WORD, "_", ignore_case=True))
@example(Like(WORD, "grösse%", ignore_case=True))
@example(Like(WORD, "GRÖß%", ignore_case=True))
@example(Like(WORD, "a\\\\"))
@example(Like(WORD, "\\%\\_"))
@example(Like(WORD, "two_lines"))
@example(HasPhrase(WORD, ("größe", "ß")))
@example(HasPhrase(WORD, ("two", "lines")))
@example(Call("ends_with", (WORD, Literal(""))))
@example(Comparison(Call("coalesce", (Literal(None), SIZE, NUMBER)), ">=", Literal(7)))
@example(IsNull(Comparison(Literal(None), "=", Literal(None))))
@example(HasAny(Column("report_facts"), ("it's:a", "finding:größe")))
@example(all_of(*(compare("number", "<>", number) for number in range(900))))
def test_an_engine_keeps_what_is_true(
    store: Store, embedded: Store, rows: Mapping[str, Row], expression: Expression
) -> None:
    check_filter(expression, {column.name: column.type for column in store.schema}, store.schema.names)
    view = store.snapshot()
    kept = [slide_id for slide_id, row in rows.items() if evaluate(expression, row) is True]
    assert list_kept(view, expression) == kept == list_kept(embedded, expression)
    assert view.count(expression) == len(kept)
