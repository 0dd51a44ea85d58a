"""Uploads, jobs, feedback and collections over REST."""

from __future__ import annotations

import codecs
import csv
import io
import json
import shutil
from collections import Counter
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.rest.base import Region
from histoseek.rest.queries import SearchRequest, SlideQuery, SlideRef, TextQuery
from histoseek.rest.workspace import CollectionContent, CollectionItem, Job, UploadToIndex
from histoseek.server.settings import Limits
from histoseek.slides.slide import open_slide
from tests.server.attacking import API, connect, request
from tests.server.running import RunningServer
from tests.waiting import wait_for

SLIDE = "SIM-0000-00"
LABELLED = "TCGA-5P-A9K0_1.svs"
"""A slide with pictures of its label and of the whole glass."""


@pytest.fixture
def real(shared_data: Path) -> Path:
    return shared_data / "slides"


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)), np.int16)


def coarse(image: np.ndarray) -> np.ndarray:
    """The image in 8 x 8 colours: what is left of it when noise and compression are taken away."""
    return np.asarray(Image.fromarray(image.astype(np.uint8)).resize((8, 8), Image.Resampling.BOX), np.int16)


def ended(client: Client, job: Job) -> Job:
    return [*client.watch_job(job.job_id)][-1]


def status_of(caught: pytest.ExceptionInfo[ServerProblem]) -> int:
    return caught.value.problem.status


def test_an_upload_is_described_listed_and_deleted(client: Client, reader: Client, real: Path) -> None:
    path = real / "CMU-1-Small-Region.svs"
    upload = client.upload(path)
    assert (upload.name, upload.bytes) == (path.name, path.stat().st_size)
    assert (upload.image.width, upload.image.height) == (2220, 2967)
    assert upload.image.spacing_um_per_px == pytest.approx(0.499)
    assert timedelta(hours=23) < upload.expires - upload.created <= timedelta(hours=24)
    assert client.list_uploads() == (upload,)
    assert reader.list_uploads() == ()
    client.delete_upload(upload.upload_id)
    assert client.list_uploads() == ()
    with pytest.raises(ServerProblem) as caught:
        client.delete_upload(upload.upload_id)
    assert status_of(caught) == 404


def test_uploads_are_their_owner_s_alone(client: Client, reader: Client, real: Path) -> None:
    upload_id = client.upload(real / "small.svs").upload_id
    request = SearchRequest(query=SlideQuery(slide=SlideRef(upload_id=upload_id)))
    for ask in (
        lambda: reader.search("cohort", request),
        lambda: reader.encode(upload_id, "cohort"),
        lambda: reader.delete_upload(upload_id),
        lambda: reader.get_upload(upload_id),
        lambda: reader.get_upload_thumbnail(upload_id),
        lambda: reader.get_upload_tile(upload_id, 0, 0, 0),
        lambda: reader.get_upload_region(upload_id, Region(x=0, y=0, width=64, height=64)),
    ):
        with pytest.raises(ServerProblem) as caught:
            ask()
        assert status_of(caught) == 404


@pytest.mark.parametrize("name", [LABELLED, "TCGA-CR-7395-01A-01-TS1.svs"])
def test_of_an_upload_the_slide_is_shown_and_nothing_else_of_the_file(
    client: Client, raw: httpx2.Client, real: Path, name: str
) -> None:
    upload = client.upload(real / name)
    thumbnail = pixels(client.get_upload_thumbnail(upload.upload_id, 256))
    edge, level = upload.image.tile_size_px, upload.image.max_level
    tile = pixels(client.get_upload_tile(upload.upload_id, level, 0, 0))
    region = pixels(client.get_upload_region(upload.upload_id, Region(x=0, y=0, width=256, height=256), px=256))
    with open_slide(real / name, 1.0) as slide:
        size = (thumbnail.shape[1], thumbnail.shape[0])
        whole = slide.read_level(len(slide.levels) - 1, 0, 0, slide.levels[-1].size.width, slide.levels[-1].size.height)
        shown = np.asarray(Image.fromarray(whole).resize(size, Image.Resampling.BOX), np.int16)
        corner = slide.read_level(0, 0, 0, min(edge, slide.size.width), min(edge, slide.size.height))
        field = slide.read_level(0, 0, 0, 256, 256)
    assert max(size) == 256
    assert np.abs(coarse(thumbnail) - coarse(shown)).max() < 5
    assert np.abs(coarse(tile) - coarse(corner)).max() < 5
    assert np.abs(coarse(region) - coarse(field)).max() < 5
    for part in ("label", "macro", "thumbnail/label", "image_files/label.jpg", "image_files/macro/0_0.jpg"):
        answer = raw.get(f"/uploads/{upload.upload_id}/{part}")
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("name", "status"),
    [("broken/unopenable.tiff", 422), ("broken/unreadable.svs", 422), ("../manifest.csv", 415)],
)
def test_what_is_no_slide_is_refused_and_not_kept(client: Client, real: Path, name: str, status: int) -> None:
    if name == "broken/unreadable.svs":
        upload = client.upload(real / name)  # its head is good, its pixels are not
        with pytest.raises(ServerProblem) as caught:
            client.get_upload_thumbnail(upload.upload_id)
        client.delete_upload(upload.upload_id)
    else:
        with pytest.raises(ServerProblem) as caught:
            client.upload(real / name)
    assert status_of(caught) == status
    assert str(real) not in str(caught.value)
    assert client.list_uploads() == ()


def test_an_upload_is_encoded_before_it_is_asked_with(client: Client, real: Path) -> None:
    upload = client.upload(real / "CMU-1-Small-Region.svs")
    job = ended(client, client.encode(upload.upload_id, "cohort"))
    assert (job.state, job.kind, job.upload_id, job.error) == ("done", "encode", upload.upload_id, None)
    assert job.done == job.total
    assert job.done > 10
    assert client.get_job(job.job_id) == job


def test_of_an_upload_that_is_deleted_while_it_is_encoded_nothing_is_kept(
    client: Client, kept_server: RunningServer, real: Path
) -> None:
    upload_id = client.upload(real / "TCGA-CR-7395-01A-01-TS1.svs", 0.5).upload_id
    job = client.encode(upload_id, "cohort")
    for told in client.watch_job(job.job_id):
        if told.state == "running" and client.list_uploads():
            client.delete_upload(upload_id)
    assert not (kept_server.state / "uploads" / upload_id).exists()
    with pytest.raises(ServerProblem) as caught:
        client.search("cohort", SearchRequest(query=SlideQuery(slide=SlideRef(upload_id=upload_id))))
    assert status_of(caught) == 404


def test_an_upload_is_indexed_with_what_is_known_of_it(client: Client, reader: Client, real: Path) -> None:
    upload = client.upload(real / "CMU-1-Small-Region.svs")
    new = UploadToIndex(
        upload_id=upload.upload_id,
        slide_id="new slide/räum 1",
        metadata={"diagnosis": "naevus", "patient_id": "P-77", "age": 44},
        report="Diagnosis: naevus of the skin. No atypia.",
    )
    with pytest.raises(ServerProblem, match="may only read"):
        reader.index("work", [new])
    told = [*client.watch_job(client.index("work", [new]).job_id)]
    assert [one.state for one in told if one.state not in ("waiting", "running")] == ["done"]
    assert (told[-1].added, told[-1].refused, told[-1].error) == (1, (), None)
    client.delete_upload(upload.upload_id)
    slide = reader.get_slide("work", "new slide/räum 1")
    assert (slide.diagnosis, slide.patient_id, slide.extra["age"]) == ("naevus", "P-77", 44)
    assert (slide.has_image, slide.file_name) == (True, "CMU-1-Small-Region.svs")
    assert reader.get_report("work", "new slide/räum 1").text.startswith("Diagnosis: naevus")
    assert pixels(reader.get_thumbnail("work", "new slide/räum 1")).shape[0] == 256
    found = reader.search("work", SearchRequest(query=TextQuery(text="naevus of the skin"), k=1))
    assert [one.slide_id for one in found.results] == ["new slide/räum 1"]


@pytest.mark.parametrize("column", ["file", "Path", "filename", "slide_id", "Slide ID", "report", "Report text"])
def test_metadata_can_not_name_files(client: Client, real: Path, column: str) -> None:
    upload = client.upload(real / "small.svs")
    new = UploadToIndex(upload_id=upload.upload_id, metadata={column: "/etc/passwd"})
    with pytest.raises(ServerProblem, match="not a metadata column") as caught:
        client.index("work", [new])
    assert status_of(caught) == 422


def test_what_can_not_be_indexed_is_named_without_its_place(client: Client, real: Path) -> None:
    uploads = [client.upload(real / name) for name in ("boxes.tiff", "small.svs", "small.svs")]
    job = ended(client, client.index("work", [UploadToIndex(upload_id=one.upload_id) for one in uploads]))
    assert job.state == "done"
    refused = {one.name: one.reason for one in job.refused}
    assert {*refused} == {"boxes.tiff", "small.svs"}
    assert refused["small.svs"].startswith("has the same")
    assert not any(f"{place}/" in one.model_dump_json() for one in job.refused for place in ("import", "uploaded"))


def test_the_import_folder_is_indexed_with_its_tables(
    client: Client, reader: Client, kept_server: RunningServer, cohort: Path
) -> None:
    folder = kept_server.state.parent / "import"
    (folder / "new").mkdir()
    shutil.copyfile(cohort / "SIM-0002-00.tiff", folder / "new" / "a.tiff")
    (folder / "new" / "b.czi").touch()
    before = reader.get_slide("work", "SIM-0002-00")
    (folder / "metadata.csv").write_text("file,slide_id,diagnosis\nnew/a.tiff,SIM-0002-00,told anew\n")
    job = ended(client, client.index("work"))
    assert (job.state, job.error) == ("done", None)
    assert str(folder) not in job.model_dump_json()
    assert job.passed_over == {".czi (not read by histoseek)": 1, ".csv (no slides)": 1}
    after = reader.get_slide("work", "SIM-0002-00")
    assert (before.diagnosis != "told anew", after.diagnosis, after.has_image) == (True, "told anew", True)
    (folder / "metadata.csv").write_text("no,columns\nthat,help\n")
    failed = ended(client, client.index("work"))
    assert failed.state == "failed"
    assert "metadata.csv" in (failed.error or "")
    assert str(folder) not in (failed.error or "")
    (folder / "metadata.csv").unlink()


def test_a_job_waits_while_somebody_else_writes_to_the_archive(
    client: Client, kept_server: RunningServer, cohort: Path, tmp_path: Path
) -> None:
    archive = Archive.open(kept_server.state.parent / "work.archive")
    # The same content under another id would be the archived slide renamed.
    file = tmp_path / "waited.tiff"
    file.write_bytes((cohort / "SIM-0001-00.tiff").read_bytes() + b"1")
    upload = client.upload(file)
    with archive.writing():
        with pytest.raises(ServerProblem, match="another process is writing"):
            client.change_slide("work", next(client.list_slides("work")).slide_id, {"organ": "liver"})
        job = client.index("work", [UploadToIndex(upload_id=upload.upload_id, slide_id="waited")])
        assert next(one.state for one in client.watch_job(job.job_id) if one.state != "waiting") == "running"
    assert ended(client, job).state == "done"
    client.remove_slide("work", "waited")


def test_many_who_watch_at_once_get_no_more_streams_than_one_may_have(
    client: Client, reader: Client, kept_server: RunningServer, token: str, cohort: Path
) -> None:
    upload = client.upload(cohort / f"{SLIDE}.tiff")
    most = Limits().event_streams
    with Archive.open(kept_server.state.parent / "work.archive").writing(), ExitStack() as stack:
        job = client.index("work", [UploadToIndex(upload_id=upload.upload_id)])
        watch = request("GET", f"{API}/jobs/{job.job_id}/events", [("Authorization", f"Bearer {token}")])
        channels = [stack.enter_context(connect(kept_server)) for _ in range(most + 5)]
        for channel in channels:
            channel.sendall(watch)
        statuses = [channel.recv(64).split()[1] for channel in channels]
        assert Counter(statuses) == {b"200": most, b"429": 5}
        with pytest.raises(ServerProblem) as caught:
            next(reader.watch_job(job.job_id))
        assert status_of(caught) == 404
    client.cancel_job(job.job_id)

    def can_watch() -> bool:
        with suppress(ServerProblem):
            return bool(ended(client, job))
        return False

    wait_for(can_watch)


def test_a_job_can_be_cancelled(client: Client, reader: Client, cohort: Path) -> None:
    upload = client.upload(cohort / f"{SLIDE}.tiff")
    job = client.index("work", [UploadToIndex(upload_id=upload.upload_id)])
    with pytest.raises(ServerProblem) as caught:
        reader.cancel_job(job.job_id)
    assert status_of(caught) == 404
    client.cancel_job(job.job_id)
    assert ended(client, job).state in ("cancelled", "done")
    assert client.cancel_job(job.job_id) == client.get_job(job.job_id)
    assert reader.list_jobs() == ()
    assert [one.job_id for one in client.list_jobs()] == [job.job_id]


def test_judgements_are_kept_by_query_and_can_be_taken_back(client: Client, reader: Client) -> None:
    query = TextQuery(text="papillary adenoma of Mr. John Miller", patient_id="P-1")
    key = reader.search("cohort", SearchRequest(query=query, k=1)).query_key
    judged = client.judge("cohort", query, SLIDE, True)
    assert judged
    assert (judged.query_key, judged.slide_id, judged.relevant) == (key, SLIDE, True)
    assert reader.list_judgements("cohort", key) == (judged,)
    reader.judge("cohort", query, SLIDE, False)
    assert [one.relevant for one in client.list_judgements("cohort", key)] == [True, False]
    assert client.judge("cohort", query, SLIDE, None) is None
    assert [one.relevant for one in client.list_judgements("cohort", key)] == [False]
    assert client.list_judgements("work", key) == ()
    with pytest.raises(ServerProblem) as caught:
        client.judge("cohort", query, "nowhere", True)
    assert status_of(caught) == 404


def test_collections_notice_changes_by_others(client: Client, reader: Client) -> None:
    items = (CollectionItem(archive="cohort", slide_id=SLIDE, note="=1+1"),)
    made = client.create_collection(CollectionContent(name="for teaching", items=items))
    (before,) = client.list_collection_slides(made.collection_id)
    more = (*items, CollectionItem(archive="cohort", slide_id="gone"))
    changed = client.replace_collection(
        made.collection_id, CollectionContent(name="teaching", items=more, version=made.version)
    )
    assert (made.slides, changed.slides, changed.version) == (1, 2, made.version + 1)
    with pytest.raises(ServerProblem) as caught:
        client.replace_collection(made.collection_id, CollectionContent(name="mine", version=made.version))
    assert status_of(caught) == 409
    assert client.get_collection(made.collection_id) == changed
    first, second = client.list_collection_slides(made.collection_id)
    assert (first, second.slide_id) == (before, "gone")
    assert (client.list_collections(), reader.list_collections()) == ((changed,), ())
    table = client.export_collection(made.collection_id)
    assert table.startswith(codecs.BOM_UTF8)
    rows = [*csv.DictReader(io.StringIO(table.decode("utf-8-sig")))]
    assert [(row["slide_id"], row["organ"]) for row in rows] == [(SLIDE, "colon"), ("gone", "")]
    assert rows[0]["note"] == "'=1+1"
    assert [row["note"] for row in json.loads(client.export_collection(made.collection_id, "json"))] == ["=1+1", ""]
    with pytest.raises(ServerProblem) as caught:
        reader.export_collection(made.collection_id)
    assert status_of(caught) == 404
    client.delete_collection(made.collection_id)
    assert client.list_collections() == ()
