"""Slides in several files over REST: sent in pieces, interrupted, attacked."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.rest.workspace import UploadToIndex
from tests.server.running import RunningServer
from tests.waiting import HANG_S, wait_for


def opening(*names: str, size: int = 10) -> dict[str, object]:
    return {"files": [{"name": name, "bytes": size} for name in names]}


@pytest.fixture
def series(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "slides" / "openslide_dicom").glob("*.dcm"))


def test_a_dicom_series_is_one_slide(client: Client, series: list[Path]) -> None:
    upload = client.upload_files({f"case/{file.name}": file for file in series}, 0.5)
    assert upload.bytes == sum(file.stat().st_size for file in series)
    assert client.get_upload_thumbnail(upload.upload_id, 128)[:2] == b"\xff\xd8"
    assert client.list_uploads() == (upload,)


def test_files_of_two_series_are_refused(client: Client, series: list[Path], shared_data: Path) -> None:
    other = shared_data / "slides" / "sm_image.dcm"
    with pytest.raises(ServerProblem, match="2 DICOM series"):
        client.upload_files({series[0].name: series[0], other.name: other})
    assert client.list_uploads() == ()


def test_an_interrupted_file_goes_on_where_it_stopped(client: Client, cohort: Path) -> None:
    path = sorted(cohort.glob("*.tiff"))[0]
    content = path.read_bytes()
    opened = client.open_upload({path.name: len(content)})
    client.send_part(opened.upload_id, 0, content[:1000])
    assert [file.received for file in client.get_open_upload(opened.upload_id).files] == [1000]
    with pytest.raises(ServerProblem, match="1000 bytes have arrived"):
        client.send_part(opened.upload_id, 0, content[:1000])
    with pytest.raises(ServerProblem, match=f"only 1000 of {len(content)} bytes"):
        client.complete_upload(opened.upload_id)
    client.send_part(opened.upload_id, 0, content[1000:], 1000)
    upload = client.complete_upload(opened.upload_id)
    assert client.complete_upload(opened.upload_id) == upload
    assert client.upload(path).image == upload.image


def test_what_is_half_sent_is_listed_until_it_is_completed(client: Client, reader: Client, cohort: Path) -> None:
    path = sorted(cohort.glob("*.tiff"))[1]
    opened = client.open_upload({path.name: path}, 0.5)
    client.send_part(opened.upload_id, 0, path.read_bytes()[:1000])
    (listed,) = client.list_open_uploads()
    assert (listed.upload_id, listed.name, listed.spacing_um_per_px) == (opened.upload_id, path.name, 0.5)
    assert [(file.bytes, file.received) for file in listed.files] == [(path.stat().st_size, 1000)]
    assert listed.created == opened.created
    assert listed.expires >= opened.expires > opened.created
    assert reader.list_open_uploads() == ()
    upload = client.upload_files({path.name: path}, 0.5)
    assert upload.upload_id == opened.upload_id
    assert client.list_open_uploads() == ()
    assert client.list_uploads() == (upload,)
    assert upload.image == client.upload(path, 0.5).image


def test_only_the_same_files_go_on_where_others_stopped(client: Client, cohort: Path, tmp_path: Path) -> None:
    path = tmp_path / "S.tiff"
    shutil.copy(sorted(cohort.glob("*.tiff"))[1], path)
    begun = client.open_upload({path.name: path})
    assert client.open_upload({path.name: path}).upload_id == begun.upload_id
    others = [client.open_upload({path.name: path}, 0.5), client.open_upload({"T.tiff": path})]
    others += [client.open_upload({path.name: path.stat().st_size}) for _ in range(2)]
    os.utime(path, (1.5, 1.5))
    others.append(client.open_upload({path.name: path}))
    ids = {one.upload_id for one in (begun, *others)}
    assert len(ids) == 6
    assert {one.upload_id for one in client.list_open_uploads()} == ids
    client.delete_upload(begun.upload_id)
    assert begun.upload_id not in {one.upload_id for one in client.list_open_uploads()}


def test_more_than_was_announced_is_not_written(client: Client) -> None:
    opened = client.open_upload({"a.svs": 5})
    with pytest.raises(ServerProblem, match="6 of 5 bytes"):
        client.send_part(opened.upload_id, 0, b"123456")
    assert client.get_open_upload(opened.upload_id).files[0].received == 0
    for number in (1, 9999):
        with pytest.raises(ServerProblem, match="1 file"):
            client.send_part(opened.upload_id, number, b"1")


def test_two_tabs_don_t_write_the_same_file_at_the_same_time(client: Client) -> None:
    opened = client.open_upload({"a.svs": 3 * 2**20})
    go_on = threading.Event()

    def send_slowly() -> Iterator[bytes]:
        yield b"x" * 2**20
        go_on.wait(HANG_S)
        yield b"x" * 2**20

    thread = threading.Thread(target=client.send_part, args=(opened.upload_id, 0, send_slowly()))
    thread.start()
    wait_for(lambda: client.get_open_upload(opened.upload_id).files[0].received == 2**20)
    with pytest.raises(ServerProblem) as caught:
        client.send_part(opened.upload_id, 0, b"y")
    go_on.set()
    thread.join()
    assert caught.value.problem.status == 409
    assert client.get_open_upload(opened.upload_id).files[0].received == 2 * 2**20


def test_uploads_in_the_making_are_their_owner_s_alone(client: Client, reader: Client) -> None:
    upload_id = client.open_upload({"a.svs": 5}).upload_id
    for ask in (
        lambda: reader.get_open_upload(upload_id),
        lambda: reader.send_part(upload_id, 0, b"12345"),
        lambda: reader.complete_upload(upload_id),
        lambda: reader.delete_upload(upload_id),
    ):
        with pytest.raises(ServerProblem) as caught:
            ask()
        assert caught.value.problem.status == 404
    assert client.list_uploads() == ()
    client.delete_upload(upload_id)
    with pytest.raises(ServerProblem):
        client.get_open_upload(upload_id)


@pytest.mark.parametrize(
    "names",
    [
        ("../a.svs",),
        ("/etc/a.svs",),
        ("a/../../b.svs",),
        ("..\\..\\a.svs",),
        ("C:\\a.svs",),
        ("a\0.svs",),
        ("a\u202e.svs",),
        (".hidden.svs",),
        ("x" * 300 + ".svs",),
        ("ä" * 120 + ".svs",),
        ("S.mrxs",),
        ("S.mrxs", "T/Data.dat"),
        ("S.mrxs", "S/../../Data.dat"),
        ("S.mrxs", "S/deep/Data.dat"),
        ("S.mrxs", "S/Data.dat", "S/DATA.dat"),
        ("S.mrxs", "S/Da\u0308ta.dat", "S/D\u00e4ta.dat"),
        ("a.svs", "b.svs"),
        ("a.exe",),
    ],
)
def test_names_that_lead_elsewhere_are_refused(
    raw: httpx2.Client, kept_server: RunningServer, names: tuple[str, ...]
) -> None:
    before = set((kept_server.state / "uploads").iterdir())
    answer = raw.post("/uploads/open", json=opening(*names))
    assert answer.status_code in (415, 422), answer.text
    assert str(kept_server.state) not in answer.text
    assert set((kept_server.state / "uploads").iterdir()) == before


def test_a_mirax_folder_can_t_replace_what_is_written_beside_it(client: Client, kept_server: RunningServer) -> None:
    opened = client.open_upload({"S.mrxs": 1, "S/upload.json": 2, "S/CON": 0})
    client.send_part(opened.upload_id, 1, b"{}")
    folder = kept_server.state / "uploads" / f"{opened.upload_id}.part"
    assert b"owner" in (folder / "upload.json").read_bytes()
    assert (folder / "slide" / "upload.json").read_bytes() == b"{}"
    client.delete_upload(opened.upload_id)
    assert not folder.exists()


def test_room_is_taken_before_a_byte_is_sent(raw: httpx2.Client) -> None:
    assert raw.post("/uploads/open", json=opening("a.svs", size=5 * 2**30)).status_code == 413
    many = opening("S.mrxs", *(f"S/{number}.dat" for number in range(2001)))
    assert raw.post("/uploads/open", json=many).status_code == 422
    assert "empty" in raw.post("/uploads/open", json=opening("a.svs", size=0)).json()["detail"]


def test_a_series_is_kept_with_all_its_files(client: Client, series: list[Path], kept_server: RunningServer) -> None:
    upload = client.upload_files({file.name: file for file in series}, 0.5)
    job = client.index("work", [UploadToIndex(upload_id=upload.upload_id, slide_id="series-1")])
    (*_, ended) = client.watch_job(job.job_id)
    folder = kept_server.state.parent / "import" / "uploaded" / upload.upload_id
    if ended.added:
        kept = sorted(file.read_bytes() for file in folder.glob("*.dcm"))
        assert kept == sorted(file.read_bytes() for file in series)
        record = Archive.open(kept_server.state.parent / "work.archive").get("series-1").record
        assert record.uri.startswith(str(folder))
        client.remove_slide("work", "series-1")
    assert not folder.exists()


def test_a_mirax_slide_of_the_client_goes_with_its_folder(client: Client, tmp_path: Path) -> None:
    (tmp_path / "S").mkdir()
    (tmp_path / "S.mrxs").write_bytes(b"\xff\xd8no slide")
    (tmp_path / "S" / "Slidedat.ini").write_text("[GENERAL]", encoding="utf-8")
    with pytest.raises(ServerProblem) as caught:
        client.upload(tmp_path / "S.mrxs")
    assert caught.value.problem.status == 422
    assert "SLIDE_ID" in caught.value.problem.detail  # it was looked for in the folder


def test_the_plan_of_a_folder(client: Client) -> None:
    names = [
        *("c/S1.mrxs", "c/S1/Slidedat.ini", "c/S1/Data0000.dat", "c/S1.pdf", "d/1.dcm", "d/2.dcm", "S2_HE.svs"),
        *("S2.txt", "x.docx", "x.czi", "../up.svs", "Thumbs.db", "T.mrxs", "photo.png", "other.pdf"),
    ]
    plan = client.plan_uploads(names)
    found = {slide.name: (slide.files, slide.reports, slide.needs_spacing) for slide in plan.slides}
    assert found == {
        "S1.mrxs": ((0, 1, 2), (3,), False),
        "1.dcm": ((4, 5), (), False),
        "S2_HE.svs": ((6,), (7,), False),
        "photo.png": ((13,), (), True),
    }
    assert plan.reports == (14,)
    assert {one.file for one in plan.passed_over} == {8, 9, 10, 11, 12}
