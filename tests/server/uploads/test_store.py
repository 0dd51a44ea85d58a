"""The store of uploads: limits, owners, times, and nothing left behind."""

from __future__ import annotations

import stat
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.server.errors import NotFound, RequestError, TooSlow
from histoseek.server.settings import UploadLimits
from histoseek.server.uploads.errors import IncompleteUpload, QuotaExceeded, StorageFull, UnknownFormat, UploadTooLarge
from histoseek.server.uploads.slide_facts import LevelFacts, SlideFacts
from histoseek.server.uploads.upload_store import StoredUpload, UploadStore

LIMITS = UploadLimits(file_bytes=1000, identity_bytes=2500, total_bytes=4000, identity_count=3, keep_s=100.0)
FACTS = SlideFacts(30, 20, 0.25, 512, 0, 5, (LevelFacts(30, 20, 1.0),), "aperio")


class Now:
    """A clock that is set."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def store(tmp_path: Path, now: Now) -> UploadStore:
    return UploadStore(tmp_path / "uploads", LIMITS, reserve_bytes=0, clock=now)


def upload(
    store: UploadStore, content: bytes = b"0123456789", owner: str = "ada", announced: int | None = None
) -> StoredUpload:
    with store.begin(owner, "a.svs", announced) as incoming:
        incoming.write(content)
        return incoming.finish()


def left_in(store: UploadStore) -> list[Path]:
    return list(store.folder.iterdir())


def test_an_upload_is_found_again(store: UploadStore, now: Now) -> None:
    with store.begin("ada", "../My biopsy.SVS", 10, 0.5) as incoming:
        incoming.write(b"01234")
        incoming.write(b"56789")
        stored = incoming.finish()
    again = store.get(stored.upload_id, "ada")
    assert again == stored
    assert again.path.read_bytes() == b"0123456789"
    assert (again.name, again.path.name, again.size_bytes) == ("My biopsy.SVS", "slide.svs", 10)
    assert (again.created_s, again.expires_s) == (now.s, now.s + LIMITS.keep_s)
    assert (again.spacing_um_per_px, again.facts) == (0.5, None)
    assert again.folder.parent == store.folder


def test_only_the_servers_user_may_look(store: UploadStore) -> None:
    stored = upload(store)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (store.folder, stored.folder, stored.path)]
    assert modes == [0o700, 0o700, 0o600]


def test_it_is_not_found_before_it_is_complete(store: UploadStore) -> None:
    with store.begin("ada", "a.svs") as incoming:
        incoming.write(b"0")
        assert store.list("ada") == ()
        incoming.finish()
    assert len(store.list("ada")) == 1


def test_facts_are_kept(store: UploadStore) -> None:
    stored = upload(store)
    known = store.keep_facts(stored, FACTS)
    assert store.get(stored.upload_id, "ada") == known
    assert (known.facts, known.spacing_um_per_px) == (FACTS, 0.25)


def test_facts_of_a_deleted_upload_are_refused(store: UploadStore) -> None:
    stored = upload(store)
    store.delete(stored.upload_id, "ada")
    with pytest.raises(NotFound):
        store.keep_facts(stored, FACTS)
    assert left_in(store) == []


def test_an_announced_size_is_checked_before_anything_is_written(store: UploadStore) -> None:
    with pytest.raises(UploadTooLarge):
        store.begin("ada", "a.svs", LIMITS.file_bytes + 1)
    assert left_in(store) == []


def test_an_unannounced_size_is_checked_as_it_grows(store: UploadStore) -> None:
    with pytest.raises(UploadTooLarge), store.begin("ada", "a.svs") as incoming:
        incoming.write(bytes(LIMITS.file_bytes))
        incoming.write(b"1")
    assert left_in(store) == []


@pytest.mark.parametrize("content", [b"", b"123456789", b"12345678901"])
def test_what_was_announced_must_come(store: UploadStore, content: bytes) -> None:
    with pytest.raises(IncompleteUpload):
        upload(store, content, announced=10)
    assert left_in(store) == []


def test_an_empty_upload_is_refused(store: UploadStore) -> None:
    with pytest.raises(IncompleteUpload):
        upload(store, b"")
    assert left_in(store) == []


def test_an_aborted_upload_leaves_nothing(store: UploadStore) -> None:
    with pytest.raises(ConnectionError), store.begin("ada", "a.svs", 10) as incoming:
        incoming.write(b"0")
        raise ConnectionError
    assert left_in(store) == []


def test_an_unknown_format_leaves_nothing(store: UploadStore) -> None:
    with pytest.raises(UnknownFormat):
        store.begin("ada", "a.php")
    assert left_in(store) == []


def test_an_owner_has_so_many_files(store: UploadStore) -> None:
    for _ in range(LIMITS.identity_count):
        upload(store)
    with pytest.raises(QuotaExceeded, match="3 uploads"):
        store.begin("ada", "a.svs", 1)
    upload(store, owner="bob")
    assert (len(store.list("ada")), len(store.list("bob"))) == (3, 1)


def test_files_in_the_making_count(store: UploadStore) -> None:
    with store.begin("ada", "a.svs", 1000), store.begin("ada", "a.svs", 1000):
        with pytest.raises(QuotaExceeded):
            store.begin("ada", "a.svs", 501)
        upload(store, bytes(500))


def test_an_owner_has_so_many_bytes(store: UploadStore) -> None:
    upload(store, bytes(1000))
    upload(store, bytes(1000))
    with pytest.raises(QuotaExceeded, match="take more"), store.begin("ada", "a.svs") as incoming:
        incoming.write(bytes(500))
        incoming.write(b"1")
    assert len(left_in(store)) == 2
    upload(store, bytes(500))


def test_room_comes_back_when_uploads_are_deleted(store: UploadStore) -> None:
    first = upload(store, bytes(1000))
    upload(store, bytes(1000))
    store.delete(first.upload_id, "ada")
    upload(store, bytes(1000))


def test_all_owners_together_have_so_many_bytes(store: UploadStore) -> None:
    for owner in "abcd":
        upload(store, bytes(1000), owner)
    with pytest.raises(StorageFull):
        store.begin("e", "a.svs", 1)
    assert len(left_in(store)) == 4


def test_some_of_the_disk_stays_free(tmp_path: Path) -> None:
    store = UploadStore(tmp_path, LIMITS, reserve_bytes=2**62)
    with pytest.raises(StorageFull):
        upload(store)
    assert left_in(store) == []


def test_others_uploads_are_not_there(store: UploadStore) -> None:
    stored = upload(store)
    for ask in (store.get, store.delete):
        with pytest.raises(NotFound):
            ask(stored.upload_id, "bob")
    assert store.list("bob") == ()
    assert store.list("ada") == (stored,)


@pytest.mark.parametrize(
    "spell",
    [str.upper, lambda id_: f"../uploads/{id_}", lambda id_: f"{id_}/", lambda id_: f"{id_}\n", lambda id_: id_[1:]],
)
def test_an_id_is_taken_only_as_it_was_given(store: UploadStore, spell: Callable[[str], str]) -> None:
    stored = upload(store)
    while stored.upload_id.isdigit():
        stored = upload(store, owner=stored.upload_id)
    with pytest.raises(NotFound):
        store.get(spell(stored.upload_id), stored.owner)


def test_a_half_written_upload_has_no_id(store: UploadStore) -> None:
    with store.begin("ada", "a.svs", 1):
        (folder,) = left_in(store)
        for text in (folder.name, folder.stem):
            with pytest.raises(NotFound):
                store.get(text, "ada")


@given(text=st.text(max_size=50) | st.from_regex(r"[./0-9a-f]{1,40}", fullmatch=True))
def test_no_text_reaches_another_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    store = UploadStore(tmp_path_factory.getbasetemp() / "empty", LIMITS)
    with pytest.raises(NotFound):
        store.get(text, "ada")
    with pytest.raises(NotFound):
        store.delete(text, "ada")


def test_uploads_expire(store: UploadStore, now: Now) -> None:
    old = upload(store)
    now.s += LIMITS.keep_s / 2
    young = upload(store)
    now.s += LIMITS.keep_s / 2
    with pytest.raises(NotFound):
        store.get(old.upload_id, "ada")
    assert store.list("ada") == (young,)
    assert old.path.exists()
    assert store.sweep() == 1
    assert left_in(store) == [young.folder]


def test_half_written_uploads_are_given_up_when_nothing_comes(store: UploadStore) -> None:
    with store.begin("ada", "a.svs", 10) as incoming:
        incoming.write(b"0")
        (folder,) = left_in(store)
        written = folder.stat().st_mtime
        store.sweep(written + 60)
        assert folder.exists()
        store.sweep(written + 3600)
        assert not folder.exists()
        incoming.write(b"123456789")
        with pytest.raises(TooSlow):
            incoming.finish()


def test_a_damaged_record_hides_an_upload_until_it_is_swept(store: UploadStore) -> None:
    stored = upload(store)
    (stored.folder / "upload.json").write_text('{"owner": "ada"')
    with pytest.raises(NotFound):
        store.get(stored.upload_id, "ada")
    assert store.list("ada") == ()
    store.sweep()
    assert left_in(store) == []


def test_other_files_in_the_folder_are_left_alone(store: UploadStore, now: Now) -> None:
    other = store.folder / "notes.txt"
    other.write_text("mine")
    now.s += 1e9
    store.sweep()
    assert other.read_text() == "mine"


def test_two_processes_see_the_same(store: UploadStore) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        kept = [one for some in pool.map(_upload_some, [store.folder] * 2) for one in some]
    assert 1 <= len(kept) <= LIMITS.identity_count
    assert sorted(kept) == sorted(one.upload_id for one in UploadStore(store.folder, LIMITS).list("ada"))
    assert len(left_in(store)) == len(kept)


def _upload_some(folder: Path) -> list[str]:
    """As many of five uploads as there is room for."""
    store = UploadStore(folder, LIMITS, reserve_bytes=0)
    kept = []
    for _ in range(5):
        try:
            kept.append(upload(store, bytes(700)).upload_id)
        except RequestError as error:
            assert isinstance(error, QuotaExceeded)
    return kept
