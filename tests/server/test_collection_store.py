from __future__ import annotations

import threading
from pathlib import Path

import pytest

from histoseek.errors import InputError
from histoseek.server.errors import Conflict, NotFound
from histoseek.server.state.collection_shares import Share, Sharing
from histoseek.server.state.collections import (
    MAX_COLLECTIONS,
    MAX_ITEMS,
    MAX_NAME_LENGTH,
    MAX_NOTE_LENGTH,
    CollectionStore,
    NewItem,
)
from histoseek.server.state.database import State

A, B, C = (NewItem("kidney", name, f"note on {name}") for name in "abc")


@pytest.fixture
def store(tmp_path: Path) -> CollectionStore:
    times = iter(range(1000, 100_000))
    return CollectionStore(State(tmp_path / "state"), lambda: float(next(times)))


def ids(items: object) -> list[str]:
    return [item.slide_id for item in items]  # type: ignore[attr-defined]


def test_a_collection_is_kept_with_its_order(store: CollectionStore) -> None:
    made = store.create("ann", "rare tumours", [B, A])
    found = store.get("ann", made.collection_id)
    assert found == made
    assert (found.name, found.version, ids(found.items)) == ("rare tumours", 1, ["b", "a"])
    assert found.items[0].note == "note on b"
    assert [(one.collection_id, one.name, one.slides) for one in store.list("ann")] == [
        (made.collection_id, "rare tumours", 2)
    ]
    assert store.list("ann") == (store.get_head("ann", made.collection_id),)


def test_items_come_in_pages_of_one_version(store: CollectionStore) -> None:
    key = store.create("ann", "x", [A, B, C]).collection_id
    first = store.read_items("ann", key, 2)
    second = store.read_items("ann", key, 2, first.next)
    assert (ids(first.items), ids(second.items), second.next) == (["a", "b"], ["c"], None)
    assert store.read_items("ann", key, 3).next is None
    assert (*first.items, *second.items) == store.get("ann", key).items
    store.replace("ann", key, 1, "x", [C, B, A])
    with pytest.raises(Conflict, match="first page"):
        store.read_items("ann", key, 2, first.next)
    assert ids(store.read_items("ann", key, 5).items) == ["c", "b", "a"]
    for after in ("", "x", "1", "1.-1", "2.1; DROP"):
        with pytest.raises(InputError):
            store.read_items("ann", key, 2, after)
    with pytest.raises(NotFound):
        store.read_items("bob", key, 2)


def test_lists_count_and_hold_no_slides(store: CollectionStore) -> None:
    keys = [store.create("ann", name, items).collection_id for name, items in (("x", [A, B]), ("y", []))]
    store.share("ann", keys[0], Sharing((Share("ben", "edit"),), "read"))
    assert [(one.slides, one.sharing) for one in store.list("ann")] == [
        (2, Sharing((Share("ben", "edit"),), "read")),
        (0, Sharing()),
    ]
    assert [(one.slides, one.access, one.sharing) for one in store.list("ben")] == [(2, "edit", None)]
    assert [(one.slides, one.access) for one in store.list("cleo")] == [(2, "read")]
    store.leave("cleo", keys[0])
    assert store.list("cleo") == ()


def test_nobody_else_finds_it(store: CollectionStore) -> None:
    key = store.create("ann", "mine", [A]).collection_id
    assert store.list("bob") == ()
    for attempt in (
        lambda: store.get("bob", key),
        lambda: store.delete("bob", key),
        lambda: store.rename("bob", key, 1, "his"),
        lambda: store.replace("bob", key, 1, "his", []),
        lambda: store.get("ann", "0" * 32),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert store.get("ann", key).name == "mine"


def test_replacing_keeps_when_slides_came_in(store: CollectionStore) -> None:
    made = store.create("ann", "x", [A, B])
    changed = store.replace("ann", made.collection_id, 1, "y", [C, NewItem("kidney", "a", "new note")])
    assert (changed.name, changed.version, ids(changed.items)) == ("y", 2, ["c", "a"])
    assert changed.items[1].added == made.items[0].added
    assert changed.items[0].added > made.items[0].added
    assert changed.items[1].note == "new note"
    assert (changed.created, changed.updated > made.updated) == (made.created, True)


def test_a_change_of_an_old_version_is_refused(store: CollectionStore) -> None:
    key = store.create("ann", "x", [A]).collection_id
    store.replace("ann", key, 1, "x", [A, B])
    for version in (0, 1, 3):
        with pytest.raises(Conflict):
            store.replace("ann", key, version, "x", [C])
    assert ids(store.get("ann", key).items) == ["a", "b"]


def test_of_many_changes_at_once_one_wins(store: CollectionStore) -> None:
    key = store.create("ann", "x").collection_id
    outcomes: list[str] = []

    def change(name: str) -> None:
        try:
            outcomes.append(store.replace("ann", key, 1, name, [A]).name)
        except Conflict:
            outcomes.append("")

    threads = [threading.Thread(target=change, args=(f"name {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [name for name in outcomes if name]
    assert (store.get("ann", key).name, store.get("ann", key).version) == (winner, 2)


def test_renaming_keeps_the_items(store: CollectionStore) -> None:
    made = store.create("ann", "x", [A, B])
    renamed = store.rename("ann", made.collection_id, 1, "y")
    assert (renamed.name, renamed.items) == ("y", made.items)
    with pytest.raises(Conflict):
        store.rename("ann", made.collection_id, 1, "z")


def test_a_deleted_collection_is_gone_with_its_items(store: CollectionStore, tmp_path: Path) -> None:
    key = store.create("ann", "x", [A]).collection_id
    store.delete("ann", key)
    with pytest.raises(NotFound):
        store.delete("ann", key)
    assert State(tmp_path / "state").read("SELECT * FROM collection_items") == []


@pytest.mark.parametrize(
    ("name", "items"),
    [
        ("", []),
        ("  ", []),
        ("n" * (MAX_NAME_LENGTH + 1), []),
        ("x", [NewItem("kidney", "a", "n" * (MAX_NOTE_LENGTH + 1))]),
        ("x", [A, NewItem("kidney", "a", "again")]),
        ("x", [NewItem("kidney", str(number)) for number in range(MAX_ITEMS + 1)]),
    ],
)
def test_what_is_too_much_is_refused(store: CollectionStore, name: str, items: list[NewItem]) -> None:
    with pytest.raises(InputError):
        store.create("ann", name, items)
    key = store.create("ann", "fine", [B]).collection_id
    with pytest.raises(InputError):
        store.replace("ann", key, 1, name, items)
    assert [ids(store.get("ann", found.collection_id).items) for found in store.list("ann")] == [["b"]]


def test_one_slide_id_of_two_archives_is_two_slides(store: CollectionStore) -> None:
    made = store.create("ann", "x", [NewItem("kidney", "a"), NewItem("lung", "a")])
    assert [item.archive for item in made.items] == ["kidney", "lung"]


def test_an_owner_has_a_number_of_collections(store: CollectionStore) -> None:
    for number in range(MAX_COLLECTIONS):
        store.create("ann", str(number))
    with pytest.raises(InputError, match="already"):
        store.create("ann", "one more")
    store.create("bob", "his first")
    assert [one.name for one in store.list("ann")] == [str(number) for number in range(MAX_COLLECTIONS)]


def test_names_of_persons_are_not_kept(store: CollectionStore) -> None:
    made = store.create("ann", "cases of Dr. Miller", [NewItem("kidney", "a", "ask Mr. John Miller, MRN 12345678")])
    assert (made.name, made.items[0].note) == ("cases of Dr. [NAME]", "ask Mr. [NAME], MRN [ID]")
    changed = store.replace("ann", made.collection_id, 1, "mine", [NewItem("kidney", "b", "seen by Dr. Miller")])
    assert changed.items[0].note == "seen by Dr. [NAME]"


def test_a_removed_slide_leaves_all_collections(store: CollectionStore) -> None:
    made, other = store.create("ann", "one", [A, B]), store.create("bob", "two", [A])
    assert store.list_slides("kidney") == {"a", "b"}
    assert store.forget_slide("lung", "a") == 0
    assert store.forget_slide("kidney", "a") == 2
    assert (store.get("ann", made.collection_id).version, ids(store.get("ann", made.collection_id).items)) == (2, ["b"])
    assert store.get("bob", other.collection_id).items == ()
