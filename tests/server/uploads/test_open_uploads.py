"""Uploads that come file by file, below the network: what is left half-sent, full disks, names of all kinds."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from histoseek.errors import InputError
from histoseek.server.errors import NotFound, TooSlow
from histoseek.server.settings import UploadLimits
from histoseek.server.uploads.errors import QuotaExceeded, StorageFull
from histoseek.server.uploads.file_names import parse_relative_name
from histoseek.server.uploads.open_uploads import NewFile, OpenUploads
from histoseek.server.uploads.slide_facts import LevelFacts, SlideFacts
from histoseek.server.uploads.upload_plan import OfferedFile, plan_uploads
from histoseek.server.uploads.upload_store import RESUMABLE_S, UploadStore

FACTS = SlideFacts(30, 20, 0.25, 512, 0, 5, (LevelFacts(30, 20, 1.0),), "aperio")
LIMITS = UploadLimits(file_bytes=1000, identity_bytes=2500, total_bytes=4000, identity_count=3, keep_s=100.0)
SLIDE = (NewFile("S.mrxs", 4), NewFile("S/Data.dat", 600))


@pytest.fixture
def opened(tmp_path: Path) -> OpenUploads:
    return OpenUploads(UploadStore(tmp_path, LIMITS, reserve_bytes=0), lambda: 1000.0)


def test_what_is_left_half_sent_expires(opened: OpenUploads) -> None:
    upload = opened.open("me", SLIDE)
    with opened.receive(upload.upload_id, "me", 1, 0) as writer:
        writer.write(b"x" * 300)
    last_s = (opened.store.folder / f"{upload.upload_id}.part" / "slide" / "Data.dat").stat().st_mtime
    opened.store.sweep(last_s + RESUMABLE_S - 1)
    assert opened.get(upload.upload_id, "me").received_bytes == (0, 300)
    opened.store.sweep(last_s + RESUMABLE_S + 1)
    with pytest.raises(NotFound):
        opened.get(upload.upload_id, "me")
    assert not list(opened.store.folder.iterdir())


def test_room_is_claimed_for_all_files_at_once(opened: OpenUploads) -> None:
    for _ in range(3):
        opened.open("me", SLIDE)
    with pytest.raises(QuotaExceeded, match="3 uploads"):
        opened.open("me", SLIDE)
    for _ in range(3):
        opened.open("you", SLIDE)
    with pytest.raises(StorageFull):
        opened.open("they", [NewFile("S.svs", 900)])
    assert len(list(opened.store.folder.iterdir())) == 6


def test_a_full_disk_is_told_and_sending_goes_on_later(opened: OpenUploads, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = opened.open("me", [NewFile("S.svs", 10)])

    def fail(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        with pytest.raises(StorageFull), opened.receive(upload.upload_id, "me", 0, 0) as writer:
            writer.write(b"12345")
    with opened.receive(upload.upload_id, "me", 0, 0) as writer:
        writer.write(b"1234567890")
    stored = opened.complete(upload.upload_id, "me")
    assert stored.path.read_bytes() == b"1234567890"


def test_an_upload_that_is_given_up_meanwhile_takes_nothing_more(opened: OpenUploads) -> None:
    upload = opened.open("me", SLIDE)
    with opened.receive(upload.upload_id, "me", 1, 0) as writer:
        opened.delete(upload.upload_id, "me")
        writer.write(b"x")
    with pytest.raises((NotFound, TooSlow)), opened.receive(upload.upload_id, "me", 1, 1):
        pass
    assert not list(opened.store.folder.iterdir())


def test_whole_ones_that_nobody_completed_are_listed_until_they_are_known_or_expire(tmp_path: Path) -> None:
    now = [1000.0]
    store = UploadStore(tmp_path, LIMITS, reserve_bytes=0, clock=lambda: now[0])
    opened = OpenUploads(store, lambda: now[0])
    upload_id = opened.open("me", [NewFile("S.svs", 3, 5.0)]).upload_id
    with opened.receive(upload_id, "me", 0, 0) as writer:
        writer.write(b"abc")
    stored = opened.complete(upload_id, "me")
    with store.begin("me", "T.svs") as incoming:
        incoming.write(b"four")
        other = incoming.finish()
    received = {one.upload_id: (one.name, one.received_bytes, one.expires_s) for one in opened.list("me")}
    assert received == {upload_id: ("S.svs", (3,), 1100.0), other.upload_id: ("T.svs", (4,), 1100.0)}
    assert opened.list("you") == ()
    assert opened.get(upload_id, "me").upload_id == opened.open("me", [NewFile("S.svs", 3, 5.0)]).upload_id
    store.keep_facts(stored, FACTS)
    assert [one.upload_id for one in opened.list("me")] == [other.upload_id]
    now[0] = 1100.0
    assert opened.list("me") == ()


@given(
    name=st.text(max_size=60)
    | st.from_regex(r"(\.\.?|[a-zA-Z.]{1,4})([/\\](\.\.?|[a-zA-Z. ]{1,4})){0,4}", fullmatch=True)
)
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    try:
        path = parse_relative_name(name)
    except InputError:
        return
    inside = Path("/base") / path
    assert os.path.normpath(inside) == str(inside)
    assert inside.is_relative_to("/base")
    assert str(path).isprintable()


@given(
    names=st.lists(
        st.from_regex(
            r"(__MACOSX/)?([ab]/){0,2}([ab]{1,2}(\.mrxs|\.dcm|\.svs|\.pdf|\.dat|\.png)|Thumbs\.db)", fullmatch=True
        ),
        max_size=12,
    )
)
@example(["a.mrxs", "a/a.mrxs", "a/a/a.mrxs"])
@example(["__MACOSX/a.mrxs", "__MACOSX/a/a.dat"])
@example(["a.mrxs", "a/Thumbs.db", "a/a.dat"])
def test_a_plan_has_each_file_in_one_place(names: list[str]) -> None:
    plan = plan_uploads([OfferedFile(name) for name in names])
    taken = [number for slide in plan.slides for number in slide.files]
    reports = {number for slide in plan.slides for number in slide.reports} | set(plan.reports)
    left = [one.file for one in plan.passed_over]
    assert sorted([*taken, *reports, *left]) == list(range(len(names)))


def test_reports_find_their_slides_among_thousands() -> None:
    names = ["C1.svs", "C1-a.svs", "c1_B.svs", "C10.svs", "C2.svs", "C2-x.svs", "x.svs"]
    reports = ["C1.pdf", "c2 - x - final.txt", "C10_report.pdf", "C.pdf", "x.pdf", "X.txt", "C1-a-b.pdf"]
    files = [OfferedFile(name) for name in (*names, *reports)]
    plan = plan_uploads(files)
    found = {slide.name: [files[number].name for number in slide.reports] for slide in plan.slides}
    assert found == {
        "C1.svs": ["C1.pdf"],
        "C1-a.svs": ["C1-a-b.pdf"],
        "c1_B.svs": [],
        "C10.svs": ["C10_report.pdf"],
        "C2.svs": ["c2 - x - final.txt"],
        "C2-x.svs": [],
        "x.svs": ["x.pdf", "X.txt"],
    }
    assert [files[number].name for number in plan.reports] == ["C.pdf"]
