"""The server's own copies: nothing raw is ever stored, and of a removed slide nothing stays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.rest.queries import ReportQuery, SlideQuery, SlideRef, TextQuery
from histoseek.rest.workspace import CollectionContent, CollectionItem, Job, Upload, UploadToIndex
from tests.server.conftest import new_client
from tests.server.leftovers import METADATA, NAME, RAW, REPORT, WORD, find_leftovers, kill_runner, sample_pixels
from tests.server.running import RunningServer, serving
from tests.waiting import wait_for

OWN = "OWN-1"


@pytest.fixture(scope="module")
def shared(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of the archives "work" and "other", whose tests leave no slide of theirs behind."""
    folder = tmp_path_factory.mktemp("copies")
    _prepare(folder, indexed)
    with _serve(folder) as running:
        yield running


@pytest.fixture
def server(shared: RunningServer) -> Iterator[RunningServer]:
    """The shared server, from which what a test indexed, kept and sent is taken again."""
    yield shared
    with new_client(shared) as client:
        for archive in ("work", "other"):
            for one in client.list_slides(archive):
                if not one.slide_id.startswith("SIM-"):
                    client.remove_slide(archive, one.slide_id)
    (shared.state.with_name("import") / f"{OWN}.tiff").unlink(missing_ok=True)


def _prepare(folder: Path, indexed: Path) -> None:
    for name in ("work", "other"):
        shutil.copytree(indexed, folder / f"{name}.archive")
    (folder / "import").mkdir()
    (folder / "system").mkdir()


def _serve(folder: Path, *archives: str) -> AbstractContextManager[RunningServer]:
    served = [folder / f"{name}.archive" for name in archives or ("work", "other")]
    options = ("--write", "--import-folder", str(folder / "import"))
    return serving(served, folder / "state", *options, environment={"TMPDIR": str(folder / "system")})


@pytest.fixture
def slide(cohort: Path, tmp_path: Path) -> Path:
    """A file whose name tells who the patient is, with pixels of its own."""
    path = tmp_path / f"{NAME}.tiff"
    content = (cohort / "SIM-0002-00.tiff").read_bytes()
    remark = "a scanner's remark that no other file has, which readers of TIFF pass over"
    path.write_bytes(content + f"{remark}: {tmp_path}".encode())
    return path


def places(server: RunningServer) -> list[Path]:
    """Where the server itself writes."""
    return [server.state, server.state.with_name("import"), server.state.with_name("system")]


def ended(client: Client, job: Job) -> Job:
    return [*client.watch_job(job.job_id)][-1]


def index(client: Client, upload: Upload, archive: str = "work") -> Job:
    new = UploadToIndex(upload_id=upload.upload_id, metadata=dict(METADATA), report=REPORT)
    return client.index(archive, [new])


def test_nothing_raw_is_stored_while_a_job_waits_runs_is_killed_and_has_ended(
    server: RunningServer, slide: Path
) -> None:
    of_slide = {WORD: WORD.encode(), "pixels": sample_pixels(slide)}
    with new_client(server) as client:
        upload = client.upload(slide)
        assert upload.name == "[NAME].tiff"
        with Archive.open(server.state.with_name("work.archive")).writing():
            job = index(client, upload)
            wait_for(lambda: client.get_job(job.job_id).state == "running")
            assert find_leftovers(places(server), RAW) == []
            kill_runner(server)
            killed = ended(client, job)
        assert killed.state == "failed"
        client.delete_upload(upload.upload_id)
        wait_for(lambda: not find_leftovers(places(server), of_slide))
        assert find_leftovers(places(server), RAW) == []
        again = ended(client, index(client, client.upload(slide)))
        assert (again.added, again.refused) == (1, ())
        assert find_leftovers(places(server), RAW) == []
        kept = [*server.state.with_name("import").rglob("*.tiff")]
        record = next(one for one in client.list_slides("work") if one.diagnosis == METADATA["diagnosis"])
        assert [path.stem for path in kept] == [record.slide_id]


def test_cancelled_jobs_and_older_ones_hold_no_reports(server: RunningServer, slide: Path) -> None:
    with new_client(server) as client, Archive.open(server.state.with_name("work.archive")).writing():
        upload = client.upload(slide)
        first, second = index(client, upload), index(client, upload)
        wait_for(lambda: client.get_job(first.job_id).state == "running")
        assert find_leftovers([server.state], {WORD: WORD.encode()})
        client.cancel_job(second.job_id)
        client.cancel_job(first.job_id)
        assert ended(client, first).state == "cancelled"
        wait_for(lambda: not find_leftovers([server.state], {WORD: WORD.encode()}))
        wait_for(lambda: not [*server.state.with_name("import").rglob("*.tiff")])
        client.delete_upload(upload.upload_id)


def test_of_a_removed_slide_nothing_stays_and_it_does_not_come_back(server: RunningServer, slide: Path) -> None:
    with new_client(server) as client, new_client(server, "read") as other:
        ended(client, index(client, client.upload(slide)))
        record = next(one for one in client.list_slides("work") if one.diagnosis == METADATA["diagnosis"])
        slide_id = record.slide_id
        other.upload(slide)
        use_everywhere(client, slide_id)
        use_everywhere(other, slide_id)
        of_slide = {"id": slide_id.encode(), WORD: WORD.encode(), "pixels": sample_pixels(slide)}
        kinds = {one.partition(" in ")[0] for one in find_leftovers(places(server), of_slide)}
        assert kinds == {"id", WORD, "pixels"}
        removed = client.remove_slide("work", slide_id)
        assert (removed.slide_id, removed.erased, removed.job_id) == (slide_id, True, None)
        everywhere = [*places(server), server.state.with_name("work.archive")]
        assert find_leftovers(everywhere, {**of_slide, **RAW}) == []
        assert other.list_uploads() == ()
        assert [one.slides for one in client.list_collections()] == [1]
        job = ended(client, client.index("work"))
        assert job.added == 0
        assert slide_id not in [one.slide_id for one in client.list_slides("work")]


def test_a_copy_stays_for_as_long_as_another_archive_lists_it(server: RunningServer, slide: Path) -> None:
    with new_client(server) as client:
        upload = client.upload(slide)
        for archive in ("work", "other"):
            ended(client, index(client, upload, archive))
        slide_id = next(one for one in client.list_slides("work") if one.diagnosis == METADATA["diagnosis"]).slide_id
        client.remove_slide("work", slide_id)
        assert client.get_slide("other", slide_id).has_image
        client.remove_slide("other", slide_id)
        assert [*server.state.with_name("import").rglob("*.tiff")] == []


def test_files_that_the_server_was_not_given_stay(server: RunningServer, cohort: Path) -> None:
    file = server.state.with_name("import") / f"{OWN}.tiff"
    shutil.copyfile(cohort / "SIM-0002-00.tiff", file)
    with new_client(server) as client:
        assert not client.remove_slide("work", "SIM-0002-00", erase="later").erased
        job = ended(client, client.index("work"))
        assert (job.added, file.is_file()) == (0, True)
        assert job.passed_over["removed earlier"] == 1
        assert not client.change_slide("work", "SIM-0001-00", {"organ": "lung"}).erased
        assert client.change_slide("work", "SIM-0001-00", {"report": "No tumour."}).erased


def test_copies_of_slides_that_other_programs_removed_go_at_the_next_start(
    indexed: Path, slide: Path, tmp_path: Path
) -> None:
    _prepare(tmp_path, indexed)
    with _serve(tmp_path, "work") as server, new_client(server) as client:
        job = ended(client, index(client, client.upload(slide)))
        assert (job.state, job.added) == ("done", 1), job
        slide_id = next(one for one in client.list_slides("work") if one.diagnosis == METADATA["diagnosis"]).slide_id
        use_everywhere(client, slide_id)
    leave_traces_of_a_killed_process(server)
    Archive.open(tmp_path / "work.archive").remove([slide_id])
    with _serve(tmp_path, "work"):
        wait_for(lambda: not [*(tmp_path / "import").rglob("*.tiff")])
        wait_for(lambda: not find_leftovers([server.state], {"id": slide_id.encode()}))
        assert [*(server.state / "temporary").iterdir()] == []


def test_copies_for_archives_that_are_not_served_stay(indexed: Path, slide: Path, tmp_path: Path) -> None:
    _prepare(tmp_path, indexed)
    with _serve(tmp_path, "work") as server, new_client(server) as client:
        ended(client, index(client, client.upload(slide)))
    with _serve(tmp_path, "other") as other, new_client(other) as client:
        ended(client, client.index("other", []))
        assert [*(tmp_path / "import").rglob("*.tiff")]


def use_everywhere(client: Client, slide_id: str) -> None:
    """Let a slide leave its traces: a collection, judgements, pictures, a map."""
    items = [CollectionItem(archive="work", slide_id=one, note=f"note on {one}") for one in (slide_id, "SIM-0001-00")]
    client.create_collection(CollectionContent(name="teaching", items=tuple(items)))
    report = client.get_report("work", slide_id).text
    slide = SlideQuery(slide=SlideRef(slide_id=slide_id))
    for query, judged in ((TextQuery(text="carcinoma"), slide_id), (slide, "SIM-0001-00")):
        client.judge("work", query, judged, True)
    client.judge("work", ReportQuery(text=report), "SIM-0001-00", True)
    client.get_thumbnail("work", slide_id)
    client.get_map("work")


def leave_traces_of_a_killed_process(server: RunningServer) -> None:
    folder = server.state / "temporary" / "0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "pixels.v").write_bytes(b"pixels")
