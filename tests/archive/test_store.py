"""The LanceDB store against a plain dictionary, and its filters."""

from __future__ import annotations

import dataclasses
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.archive.schema import SlideRecord, StoredSlide
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import BadFilter, DamagedArchive, InputError, UnknownSlide
from histoseek.mosaics.signature import MosaicTiles, Signature
from tests.archive.tables import DIMENSION, create_table, folder_of, open_table, update_metadata

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def make_slide(slide_id: str, seed: int = 0, **record: object) -> StoredSlide:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 17))
    vectors = rng.standard_normal((count + 1, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tiles = tuple(
        MosaicTiles(rng.integers(0, 9999, (kept, 2)).astype(np.int32), rng.random(kept).astype(np.float32))
        for kept in rng.integers(1, 12, count)
    )
    signature = Signature.create(
        vectors[-1], vectors[:-1].astype(np.float16), rng.random(count).astype(np.float32), tiles, 448
    )
    facts = SlideRecord(slide_id, f"/s/{slide_id}.svs", "f1-x", 100, 80, 0.25, 12, NOW, NOW, **record)  # type: ignore[arg-type]
    return StoredSlide(facts, signature)


def same(one: StoredSlide, two: StoredSlide) -> bool:
    a, b = one.signature, two.signature
    pairs = [(a.global_vector, b.global_vector), (a.mosaic, b.mosaic), (a.barcodes, b.barcodes), (a.shares, b.shares)]
    pairs += [(x.coords, y.coords) for x, y in zip(a.mosaic_tiles, b.mosaic_tiles, strict=True)]
    pairs += [(x.weights, y.weights) for x, y in zip(a.mosaic_tiles, b.mosaic_tiles, strict=True)]
    equal = all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in pairs)
    return equal and one.record == two.record and a.tile_size_level0 == b.tile_size_level0


@pytest.fixture
def store(tmp_path: Path) -> SlideTable:
    return create_table(tmp_path / "store")


ids = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from(["upsert", "delete"]), st.lists(ids, min_size=1, max_size=4)), max_size=6))
def test_store_behaves_like_a_dictionary(steps: list[tuple[str, list[str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, model = create_table(Path(folder)), {}
        for number, (action, names) in enumerate(steps):
            if action == "upsert":
                slides = {name: make_slide(name, number, diagnosis=f"it's {name}") for name in names}
                store.upsert(list(slides.values()))
                model.update(slides)
            else:
                store.delete(names)
                model = {name: slide for name, slide in model.items() if name not in names}
            assert store.count(None) == len(model)
            assert list(store.slides()) == sorted(model)
        found = store.get(list(model))
        assert all(same(one, two) for one, two in zip(found, model.values(), strict=True))


def test_round_trip_is_exact_with_extra_columns(store: SlideTable) -> None:
    store.ensure_columns({"age": pa.int64(), "ki67": pa.float64(), "seen": pa.date32(), "ok": pa.bool_()})
    extra = {"age": 61, "ki67": 0.25, "seen": date(2024, 5, 6), "ok": True}
    one = make_slide("a", 1, report='Line one\n"quoted" µm', patient_id="007", extra=extra)
    two = make_slide("b", 2, extra=dict.fromkeys(extra))
    store.upsert([one, two])
    assert all(same(x, y) for x, y in zip(store.get(["b", "a"]), [two, one], strict=True))
    reopened = open_table(folder_of(store))
    assert [record.slide_id for record in reopened.records(None, None, 0)] == ["a", "b"]
    assert store.records("age = 61 AND seen > date '2024-01-01' AND ok", None, 0)[0].slide_id == "a"


def test_nearest_equals_naive_cosine(store: SlideTable) -> None:
    slides = [make_slide(f"s{i:03d}", i, organ="lung" if i % 3 else "colon") for i in range(120)]
    store.upsert(slides)
    query = slides[7].signature.global_vector
    cosines = {s.record.slide_id: 1 - float(query @ s.signature.global_vector) for s in slides}
    best = sorted(cosines, key=lambda slide_id: (cosines[slide_id], slide_id))[:10]
    found = store.nearest(query, 10, None)
    assert [near.slide_id for near in found] == best
    assert [near.cosine_distance for near in found] == pytest.approx([cosines[i] for i in best], abs=1e-5)
    lung = [i for i in sorted(cosines, key=cosines.__getitem__) if int(i[1:]) % 3][:5]
    assert [near.slide_id for near in store.nearest(query, 5, "organ = 'lung'")] == lung


def test_ranking_block_keeps_the_order_asked(store: SlideTable) -> None:
    slides = [make_slide(f"s{i}", i) for i in range(9)]
    store.upsert(slides)
    order = [5, 0, 8]
    block = store.ranking_block([f"s{i}" for i in order])
    for place, i in enumerate(order):
        words = block.barcodes[block.offsets[place] : block.offsets[place + 1]]
        assert np.array_equal(words, slides[i].signature.barcodes)
        assert np.array_equal(block.global_vectors[place], slides[i].signature.global_vector)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("organ = 'lung", "Unterminated string"),
        ("orgn = 'lung'", "orgn"),
        ("tile_count + 'a' > 3", "."),
        ("organ = 'lung'; DROP TABLE slides", "."),
        ("", "."),
    ],
)
def test_bad_filters_are_one_line_with_the_columns(store: SlideTable, where: str, said: str) -> None:
    store.upsert([make_slide("a")])
    with pytest.raises(BadFilter, match=said) as caught:
        store.records(where, None, 0)
    message = str(caught.value)
    assert "\n" not in message
    assert ".rs" not in message
    assert "organ" in message
    assert "mosaic" not in message
    with pytest.raises(BadFilter):
        store.nearest(make_slide("a").signature.global_vector, 3, where)


def test_update_changes_what_it_may_and_no_more(store: SlideTable) -> None:
    store.ensure_columns({"age": pa.int64()})
    slide = make_slide("a", extra={"age": 5})
    store.upsert([slide])
    update_metadata(store, "a", {"organ": "lung", "age": "61"})
    found = store.get(["a"])[0]
    assert (found.record.organ, found.record.extra["age"]) == ("lung", 61)
    assert np.array_equal(found.signature.mosaic, slide.signature.mosaic)
    for changes in ({"age": "old"}, {"nonsense": "1"}, {"slide_id": "b"}, {"uri": "/etc"}):
        with pytest.raises(InputError):
            update_metadata(store, "a", changes)
    with pytest.raises(UnknownSlide):
        update_metadata(store, "b", {"organ": "lung"})


def test_history_stays_bounded_and_long_readers_see_new_commits(
    store: SlideTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from histoseek.settings import Settings

    monkeypatch.setattr("histoseek.archive.stores.lance.table.get_settings", lambda: Settings(history_minutes=0))
    reader = open_table(folder_of(store))
    for number in range(12):
        store.upsert([make_slide(f"s{number}", number)])
        assert reader.count(None) == number + 1
    assert store.stats().versions > 10
    store.optimize()
    assert store.stats().versions <= 2
    assert store.count(None) == 12


def test_a_snapshot_stays_as_it_is(store: SlideTable) -> None:
    store.upsert([make_slide("a", 1), make_slide("b", 2)])
    before = store.snapshot()
    store.delete(["a"])
    store.ensure_columns({"age": pa.int64()})
    store.upsert([make_slide("c", 3, extra={"age": 3})])
    store.optimize()
    assert list(before.slides()) == ["a", "b"]
    assert same(before.get(["a"])[0], make_slide("a", 1))
    assert "age" not in before.metadata_types()
    assert list(store.slides()) == ["b", "c"]
    assert "age" in open_table(folder_of(store)).metadata_types()


def test_an_open_store_sees_columns_that_others_add(store: SlideTable) -> None:
    reader = open_table(folder_of(store))
    store.ensure_columns({"age": pa.int64()})
    assert "age" in reader.metadata_types()


def test_missing_table_is_damage(tmp_path: Path) -> None:
    with pytest.raises(DamagedArchive):
        open_table(tmp_path)


def test_damaged_files_are_said_to_be_damaged(store: SlideTable) -> None:
    store.upsert([make_slide(f"s{i}", i) for i in range(5)])
    again = open_table(folder_of(store))
    for path in folder_of(store).rglob("data/*.lance"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for read in (
        lambda: again.records(None, None, 0),
        lambda: again.records("organ = 'lung'", None, 0),
        lambda: again.get(["s1"]),
        lambda: again.nearest(make_slide("s1").signature.global_vector, 3, None),
        lambda: again.upsert([make_slide("s1", 9)]),
    ):
        with pytest.raises(DamagedArchive) as caught:
            read()
        assert ".rs" not in str(caught.value)


def test_records_page_by_id(store: SlideTable) -> None:
    store.upsert([make_slide(f"s{i}", i) for i in (3, 1, 2, 0)])
    assert [record.slide_id for record in store.records(None, 2, 1)] == ["s1", "s2"]
    assert dataclasses.replace(store.records(None, 1, 0)[0], organ=None) == make_slide("s0").record
