"""Checksums of rows: the same as long as the row is, whatever an engine does with it, and another when a value is."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.archive.schema import CHECKSUM, LanguageVectors, StoredSlide
from histoseek.archive.stores.slides import SlideTable
from tests.archive.tables import create_table, engine_table_of, open_table, update_metadata
from tests.archive.test_store import make_slide

COLUMNS = {"age": pa.int64(), "ki67": pa.float64(), "seen": pa.date32(), "ok": pa.bool_(), "note": pa.string()}

texts = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
extras = st.fixed_dictionaries(
    {},
    optional={
        "age": st.none() | st.integers(-(2**53), 2**53),
        "ki67": st.none() | st.floats(allow_nan=False) | st.integers(0, 9),
        "seen": st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
        "ok": st.none() | st.booleans(),
        "note": texts,
    },
)
times = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))


def make_language(seed: int) -> LanguageVectors:
    rng = np.random.default_rng(seed)
    return LanguageVectors(
        report_vector=rng.standard_normal(8).astype(np.float32),
        report_tokens=" lung tumour ",
        report_facts=("stage:2", "", "grade:3") if seed % 2 else (),
        report_places=b"\0\1",
        report_windows=rng.standard_normal((2, 8)).astype(np.float16),
    )


def altered(store: SlideTable) -> dict[str, tuple[str, ...]]:
    return {slide.record.slide_id: slide.altered for slide in store.get(store.slides())}


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(texts, texts, extras, times), min_size=1, max_size=4))
def test_a_row_that_nobody_changed_is_whole(
    rows: list[tuple[str | None, str | None, Mapping[str, object], datetime]],
) -> None:
    slides = []
    for number, (diagnosis, report, extra, time) in enumerate(rows):
        one = make_slide(f"s{number}", number, diagnosis=diagnosis, report=report, extra=extra)
        language = make_language(number) if report else LanguageVectors()
        object.__setattr__(one.record, "created", time)
        slides.append(StoredSlide(one.record, one.signature, language))
    with tempfile.TemporaryDirectory() as folder:
        store = create_table(Path(folder))
        store.ensure_columns(COLUMNS)
        store.ensure_vectors({"report_vector": 8})
        for slide in slides:
            store.upsert([slide])
        whole = {slide.record.slide_id: () for slide in slides}
        assert altered(store) == whole
        store.ensure_columns({"later": pa.string()})
        store.optimize()
        store.read_records(list(whole))
        assert altered(open_table(Path(folder))) == whole
        store.upsert(store.get(store.slides()))
        assert altered(store) == whole


CHANGES = {
    "diagnosis": ("metadata", "'carcinoma in sitU'"),
    "patient_id": ("metadata", "'P2'"),
    "uri": ("metadata", "'/s/b.svs'"),
    "tile_count": ("metadata", "13"),
    "age": ("metadata", "62"),
    "ki67": ("metadata", "NULL"),
    "note": ("metadata", "''"),
    "report": ("report", "'no malignancy'"),
    "report_tokens": ("language", "' lung '"),
    "record_tokens": ("words", "' lung '"),
}


@pytest.fixture
def store(tmp_path: Path) -> SlideTable:
    store = create_table(tmp_path / "store")
    store.ensure_columns(COLUMNS)
    extra = {"age": 61, "ki67": 0.25}
    known = {"diagnosis": "carcinoma in situ", "patient_id": "P1", "report": "malignancy", "extra": extra}
    one, two = make_slide("a", 1, **known), make_slide("b", 2)
    store.upsert([StoredSlide(one.record, one.signature, LanguageVectors(report_tokens=" lung tumour ")), two])
    return store


@pytest.mark.parametrize("column", CHANGES)
def test_a_change_behind_the_archive_is_noticed_and_stays_so(store: SlideTable, column: str) -> None:
    part, value = CHANGES[column]
    engine_table_of(store).update(where="slide_id = 'a'", values_sql={column: value})
    assert altered(store) == {"a": (part,), "b": ()}
    update_metadata(store, "a", {"organ": "lung"})
    assert altered(store) == {"a": () if part == "words" else (part,), "b": ()}


def test_a_changed_vector_is_noticed(store: SlideTable) -> None:
    vectors = store.get(["a"])[0].signature.global_vector.copy()
    vectors[3] = np.nextafter(vectors[3], 1)
    rows = pa.table(
        {"slide_id": ["a"], "global_vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors), len(vectors))}
    )
    engine_table_of(store).merge_insert("slide_id").when_matched_update_all().execute(rows)
    assert altered(store) == {"a": ("signature",), "b": ()}


def test_rows_of_older_versions_are_guarded_once_they_have_checksums(store: SlideTable) -> None:
    engine_table_of(store).drop_columns([CHECKSUM])
    update_metadata(store, "b", {"organ": "lung"})
    assert store.list_unguarded() == ["a", "b"]
    store.add_checksums(["b"])
    assert store.list_unguarded() == ["a"]
    store.add_checksums(["a"])
    assert altered(store) == {"a": (), "b": ()}
    engine_table_of(store).update(where="slide_id = 'a'", values={"diagnosis": "none"})
    assert altered(store) == {"a": ("metadata",), "b": ()}
