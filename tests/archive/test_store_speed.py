"""What makes the store quick changes nothing that it says: snapshots kept, indexes, filters remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import BadFilter, UnknownSlide
from histoseek.settings import get_settings
from tests.archive.tables import create_table, engine_table_of, folder_of, open_table, update_metadata
from tests.archive.test_store import make_slide, same
from tests.elsewhere import get_warm_context
from tests.waiting import HANG_S


@pytest.fixture
def store(tmp_path: Path) -> SlideTable:
    store = create_table(tmp_path / "store")
    store.upsert([make_slide(f"s{i:03d}", i, organ=f"o{i % 3}", patient_id=f"p{i // 2}") for i in range(30)])
    return store


def _commit(folder: Path) -> None:
    open_table(folder).upsert([make_slide("new", 99, organ="o1")])


def test_a_commit_of_another_process_is_in_the_next_snapshot(store: SlideTable) -> None:
    before = store.snapshot()
    assert store.snapshot() is before
    assert len(before.ranking_places("organ = 'o1'")) == 10
    writer = get_warm_context().Process(target=_commit, args=(folder_of(store),))
    writer.start()
    writer.join(HANG_S)
    assert writer.exitcode == 0
    after = store.snapshot()
    assert after is not before
    assert len(after.ranking_rows()) == 31
    assert after.ranking_rows().slide_ids[after.ranking_places("organ = 'o1'")].tolist()[0] == "new"
    assert len(before.ranking_rows()) == 30
    assert len(before.ranking_places("organ = 'o1'")) == 10


def test_places_of_filters_are_right_in_any_order_and_number(store: SlideTable) -> None:
    view = store.snapshot()
    ids = view.ranking_rows().slide_ids
    for _ in range(2):
        for number in range(12):
            where = f"organ = 'o{number % 3}' AND slide_id < 's{number + 9:03d}'"
            assert ids[view.ranking_places(where)].tolist() == list(store.slides(where))
    for _ in range(2):
        with pytest.raises(BadFilter):
            view.ranking_places("orgn = 'o1'")
    update_metadata(store, "s001", {"organ": "o2"})
    assert "s001" not in store.snapshot().ranking_rows().slide_ids[store.snapshot().ranking_places("organ = 'o1'")]


def test_indexed_columns_show_every_change(store: SlideTable) -> None:
    store.optimize()
    update_metadata(store, "s004", {"patient_id": "p9"})
    store.upsert([make_slide("s031", 31, patient_id="p9"), make_slide("s006", 66, patient_id="p9")])
    store.delete(["s018"])
    expected = ["s004", "s006", "s019", "s031"]
    assert list(store.slides("patient_id = 'p9'")) == expected
    assert list(store.slides("patient_id = 'p2'")) == ["s005"]
    assert same(store.get(["s006"])[0], make_slide("s006", 66, patient_id="p9"))
    store.optimize()
    assert list(store.slides("patient_id = 'p9'")) == expected
    with pytest.raises(UnknownSlide):
        store.get(["s018"])


def test_an_older_store_gets_its_indexes(store: SlideTable) -> None:
    for index in engine_table_of(store).list_indices():
        if index.columns != ["report"]:
            engine_table_of(store).drop_index(index.name)
    assert store.get(["s002"])[0].record.slide_id == "s002"
    store.optimize()
    indexed = {column for index in engine_table_of(store).list_indices() for column in index.columns}
    assert {"slide_id", "patient_id", "case_id"} <= indexed


def test_mosaics_come_side_by_side_in_the_order_asked(store: SlideTable) -> None:
    order = ["s007", "s000", "s029"]
    found = store.mosaics(order)
    naive = np.concatenate([make_slide(name, int(name[1:])).signature.mosaic for name in order])
    assert (found.dtype, found.flags["C_CONTIGUOUS"]) == (np.dtype(np.float16), True)
    assert np.array_equal(found, naive)
    with pytest.raises(UnknownSlide):
        store.mosaics(["s000", "none"])


def test_without_room_on_the_disk_rows_are_in_memory(
    tmp_path: Path, store: SlideTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded = get_settings().model_copy(update={"cache_mb": 0})
    monkeypatch.setattr("histoseek.archive.stores.registry.get_settings", lambda: bounded)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    rows = open_table(folder_of(store)).ranking_rows()
    assert len(rows) == 30
    assert not isinstance(rows.global_vectors, np.memmap)
    assert list((folder_of(store) / "ranking").iterdir()) == []


def test_rows_are_the_same_whether_their_numbers_are_at_hand_or_not(store: SlideTable) -> None:
    update_metadata(store, "s007", {"organ": "o9"})
    order = ["s028", "s007", "s000", "s007"]
    before = store.get(order)
    store.ranking_rows()
    after = store.get(order)
    assert all(same(one, two) for one, two in zip(before, after, strict=True))
    assert store.get([]) == []
    for unknown in ("s0001", "", "zzz"):
        with pytest.raises(UnknownSlide):
            store.get(["s001", unknown])
    store.delete([f"s{i:03d}" for i in range(30)])
    store.ranking_rows()
    with pytest.raises(UnknownSlide):
        store.get(["s001"])
