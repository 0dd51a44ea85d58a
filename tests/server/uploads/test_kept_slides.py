"""Copies of indexed uploads: they stay while anybody needs them, and no longer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.server.archives.registry import ArchiveEntry, ArchiveRegistry
from histoseek.server.jobs.job_spec import NewSlide, dump_spec
from histoseek.server.jobs.job_store import JobStore
from histoseek.server.state.database import State
from histoseek.server.uploads.kept_slides import KeptSlides, find_upload_id, make_stem
from histoseek.server.uploads.upload_store import StoredUpload

UPLOAD_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def upload(cohort: Path, tmp_path: Path) -> StoredUpload:
    folder = tmp_path / "uploads" / UPLOAD_ID
    folder.mkdir(parents=True)
    path = Path(shutil.copyfile(cohort / "SIM-0002-00.tiff", folder / "slide.tiff"))
    return StoredUpload(UPLOAD_ID, "ann", "a tumour.tiff", path, path.stat().st_size, 0.0, 1e12, 0.5, None)


@pytest.fixture
def now() -> list[float]:
    """The time, which tests may change."""
    return [1000.0]


@pytest.fixture
def kept(tmp_path: Path, now: list[float]) -> KeptSlides:
    archives = {name: Archive.create(tmp_path / f"{name}.archive").path for name in ("one", "two")}
    state = State(tmp_path / "state")
    return KeptSlides(
        tmp_path / "import" / "uploaded", state, JobStore(state), ArchiveRegistry(archives), lambda: now[0]
    )


def entry(kept: KeptSlides, name: str = "one") -> ArchiveEntry:
    return kept.archives.get(name)


def test_a_copy_waits_for_its_job_and_goes_with_it(kept: KeptSlides, upload: StoredUpload) -> None:
    with kept.keep(entry(kept), [upload]):
        file = kept.copy(upload, has_private_name=False)
        kept.sweep()
        kept.release([UPLOAD_ID])
        assert file.read_bytes() == upload.path.read_bytes()
        job = kept.jobs.add("index", "one", "ann", dump_spec([NewSlide(file, upload.name, {}, None)]))
    kept.sweep()
    assert file.name == "a tumour.tiff"
    assert file.exists()
    kept.jobs.end(job.job_id, "failed")
    kept.release_job(job)
    assert [*file.parents[1].iterdir()] == []


def test_without_a_job_a_copy_goes(kept: KeptSlides, upload: StoredUpload) -> None:
    with pytest.raises(KeyError), kept.keep(entry(kept), [upload]):
        file = kept.copy(upload, has_private_name=True)
        raise KeyError
    assert len(file.stem) == 16
    kept.sweep()
    assert not file.exists()


def test_a_copy_that_a_killed_process_was_making_goes_after_a_while(
    kept: KeptSlides, upload: StoredUpload, now: list[float]
) -> None:
    killed = kept.keep(entry(kept), [upload])
    killed.__enter__()
    file = kept.copy(upload, has_private_name=False)
    kept.sweep()
    assert file.exists()
    now[0] += 3601.0
    kept.sweep()
    assert not file.exists()


def test_a_copy_stays_while_any_archive_lists_it(kept: KeptSlides, upload: StoredUpload) -> None:
    with kept.keep(entry(kept), [upload]):
        file = kept.copy(upload, has_private_name=False)
    for name in ("one", "two"):
        entry(kept, name).archive.index([file])
    kept.sweep()
    (slide,) = entry(kept).archive
    entry(kept).archive.remove([slide.slide_id])
    kept.release([UPLOAD_ID])
    assert file.exists()
    elsewhere = KeptSlides(kept.folder, kept.state, kept.jobs, ArchiveRegistry({"one": entry(kept).archive.path}))
    elsewhere.sweep()
    assert file.exists()
    entry(kept, "two").archive.remove([slide.slide_id])
    kept.sweep()
    assert not file.exists()


def test_what_this_server_did_not_keep_stays(kept: KeptSlides) -> None:
    file = (kept.folder or Path()) / ("f" * 32) / "a.tiff"
    file.parent.mkdir(parents=True)
    file.touch()
    kept.sweep()
    kept.release(["f" * 32])
    assert file.exists()


@pytest.mark.parametrize(
    ("uri", "upload_id"),
    [
        (f"/import/uploaded/{UPLOAD_ID}/a.svs", UPLOAD_ID),
        (f"file:///other%20way/uploaded/{UPLOAD_ID}/a.svs", UPLOAD_ID),
        ("/import/uploaded/a.svs", None),
        (f"/import/{UPLOAD_ID}/a.svs", None),
    ],
)
def test_copies_are_known_by_their_address(uri: str, upload_id: str | None) -> None:
    assert find_upload_id(uri) == upload_id


@pytest.mark.parametrize(("name", "stem"), [("..a b.svs", "a b"), (".svs", "slide"), ("ä" * 300 + ".svs", "ä" * 100)])
def test_names_of_copies_fit_a_disk(name: str, stem: str) -> None:
    assert make_stem(name) == stem
