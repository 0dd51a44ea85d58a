"""Collections that are shared: with named colleagues or everybody, to read or to edit; and what nobody else learns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.errors import InputError
from histoseek.rest.workspace import CollectionContent, CollectionItem, CollectionSharing, SharedWith
from histoseek.server.errors import Conflict, Forbidden, NotFound
from histoseek.server.state.collection_shares import MAX_PEOPLE, Share, SharedAccess, Sharing
from histoseek.server.state.collections import CollectionStore, NewItem
from histoseek.server.state.database import State
from tests.server.conftest import new_client
from tests.server.running import RunningServer

A, B = NewItem("kidney", "a", "note on a"), NewItem("kidney", "b")
READ, EDIT = (Sharing((Share("ben", access),)) for access in ("read", "edit"))
TO_READ, TO_EDIT = Sharing((), "read"), Sharing((), "edit")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CollectionStore]:
    times = iter(range(1000, 100_000))
    state = State(tmp_path / "state")
    yield CollectionStore(state, lambda: float(next(times)))
    state.close()


@pytest.mark.parametrize(
    ("sharing", "ben", "cleo"),
    [
        (Sharing(), None, None),
        (READ, "read", None),
        (EDIT, "edit", None),
        (TO_READ, "read", "read"),
        (TO_EDIT, "edit", "edit"),
        (Sharing((Share("ben", "edit"),), "read"), "edit", "read"),
        (Sharing((Share("ben", "read"),), "edit"), "edit", "edit"),
    ],
)
def test_who_sees_a_collection_and_may_change_it(
    store: CollectionStore, sharing: Sharing, ben: SharedAccess | None, cleo: SharedAccess | None
) -> None:
    key = store.create("ann", "rare", [A]).collection_id
    assert store.share("ann", key, sharing).sharing == sharing
    for name, access in (("ben", ben), ("cleo", cleo)):
        assert [(one.collection_id, one.access, one.owner) for one in store.list(name)] == (
            [(key, access, "ann")] if access else []
        )
        if access is None:
            with pytest.raises(NotFound):
                store.get(name, key)
            continue
        seen = store.get(name, key)
        assert (seen.access, seen.sharing, seen.items[0].note) == (access, None, "note on a")
        if access == "edit":
            assert store.replace(name, key, seen.version, "rarer", [A, B]).name == "rarer"
        else:
            with pytest.raises(Forbidden):
                store.replace(name, key, seen.version, "rarer", [A, B])
        for attempt in (lambda who: store.delete(who, key), lambda who: store.share(who, key, Sharing())):
            with pytest.raises(Forbidden):
                attempt(name)


def test_two_who_edit_do_not_overwrite_each_other(store: CollectionStore) -> None:
    key = store.create("ann", "rare", [A]).collection_id
    store.share("ann", key, EDIT)
    store.replace("ben", key, 1, "by ben", [A, B])
    with pytest.raises(Conflict):
        store.replace("ann", key, 1, "by ann", [])
    assert store.get("ann", key).name == "by ben"


def test_what_is_no_longer_shared_is_gone_for_others(store: CollectionStore) -> None:
    key = store.create("ann", "rare", [A]).collection_id
    store.share("ann", key, Sharing((Share("ben", "edit"),), "read"))
    store.share("ann", key, Sharing((Share("cleo", "read"),)))
    assert store.list("ben") == ()
    with pytest.raises(NotFound):
        store.get("ben", key)
    assert store.get("cleo", key).access == "read"


def test_who_leaves_is_rid_of_it(store: CollectionStore) -> None:
    key = store.create("ann", "rare", [A]).collection_id
    store.share("ann", key, EDIT)
    store.leave("ben", key)
    assert store.list("ben") == ()
    with pytest.raises(NotFound):
        store.get("ben", key)
    assert store.get("ann", key).sharing == Sharing()
    with pytest.raises(InputError):
        store.leave("ann", key)


def test_who_leaves_what_is_for_everybody_has_it_off_the_list_and_links_still_work(store: CollectionStore) -> None:
    key = store.create("ann", "rare", [A]).collection_id
    store.share("ann", key, TO_READ)
    store.leave("ben", key)
    assert store.list("ben") == ()
    assert store.get("ben", key).access == "read"
    store.share("ann", key, TO_EDIT)
    assert store.list("ben") == ()
    assert [one.collection_id for one in store.list("cleo")] == [key]
    store.share("ann", key, EDIT)
    assert [one.access for one in store.list("ben")] == ["edit"]


def test_slides_that_are_removed_vanish_for_all(store: CollectionStore) -> None:
    key = store.create("ann", "rare", [A, B]).collection_id
    store.share("ann", key, TO_READ)
    store.forget_slide("kidney", "a")
    assert [item.slide_id for item in store.get("ben", key).items] == ["b"]


def test_deleting_a_collection_ends_its_sharing(store: CollectionStore, tmp_path: Path) -> None:
    key = store.create("ann", "rare", [A]).collection_id
    store.share("ann", key, EDIT)
    store.delete("ann", key)
    assert State(tmp_path / "state").read("SELECT * FROM collection_shares") == []


@pytest.mark.parametrize(
    "people",
    [
        (Share("ann", "read"),),
        (Share("*", "read"),),
        (Share("  ", "read"),),
        (Share("n" * 65, "read"),),
        (Share("ben", "read"), Share("ben", "edit")),
        tuple(Share(f"p{number}", "read") for number in range(MAX_PEOPLE + 1)),
    ],
)
def test_odd_names_are_refused(store: CollectionStore, people: tuple[Share, ...]) -> None:
    key = store.create("ann", "rare", [A]).collection_id
    with pytest.raises(InputError):
        store.share("ann", key, Sharing(people))
    assert store.get("ann", key).sharing == Sharing()


@pytest.fixture
def colleague(kept_server: RunningServer) -> Iterator[Client]:
    with new_client(kept_server, "read") as made:
        yield made


def test_sharing_over_rest(client: Client, colleague: Client, reader: Client) -> None:
    items = (CollectionItem(archive="cohort", slide_id="SIM-0000-00"),)
    made = client.create_collection(CollectionContent(name="for teaching", items=items))
    assert (made.access, made.sharing) == ("own", CollectionSharing(people=(), everybody=None))
    whom = SharedWith(name=colleague.get_session().name, access="edit")
    sharing = CollectionSharing(people=(whom,), everybody=None)
    assert client.share_collection(made.collection_id, sharing).sharing == sharing
    (seen,) = colleague.list_collections()
    assert (seen.access, seen.owner, seen.sharing) == ("edit", client.get_session().name, None)
    content = CollectionContent(name="for teaching", items=(), version=seen.version)
    assert [item.slide_id for item in colleague.list_collection_slides(made.collection_id)] == ["SIM-0000-00"]
    assert colleague.replace_collection(made.collection_id, content).slides == 0
    assert list(client.list_collection_slides(made.collection_id)) == []
    assert b"for teaching" not in colleague.export_collection(made.collection_id)
    with pytest.raises(ServerProblem) as caught:
        colleague.delete_collection(made.collection_id)
    assert caught.value.problem.status == 403
    colleague.leave_collection(made.collection_id)
    assert colleague.list_collections() == ()
    client.delete_collection(made.collection_id)


def test_what_is_not_shared_is_as_what_does_not_exist(client: Client, reader: Client) -> None:
    key = client.create_collection(CollectionContent(name="mine")).collection_id
    told = []
    for collection_id in (key, "0" * 32):
        for ask in (reader.get_collection, reader.export_collection, reader.leave_collection, reader.delete_collection):
            with pytest.raises(ServerProblem) as caught:
                ask(collection_id)
            told.append((caught.value.problem.status, caught.value.problem.detail))
    assert set(told) == {told[0]}
    assert told[0][0] == 404
    assert "somebody else" in told[0][1]


def test_nobody_learns_which_names_there_are(client: Client, colleague: Client) -> None:
    key = client.create_collection(CollectionContent(name="mine")).collection_id
    for name in (colleague.get_session().name, "nobody at all"):
        sharing = CollectionSharing(people=(SharedWith(name=name, access="read"),), everybody=None)
        assert client.share_collection(key, sharing).sharing == sharing
