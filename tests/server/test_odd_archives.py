"""Archives that lack something: slides, reports, their slides' files, or themselves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.encoders.recipe import Recipe
from histoseek.rest.queries import (
    Box,
    CaseQuery,
    ExplainRequest,
    Query,
    RegionQuery,
    ReportQuery,
    SearchRequest,
    SlideQuery,
    SlideRef,
    TextQuery,
)
from tests.server.running import RunningServer, serving
from tests.waiting import HANG_S

SLIDE = "SIM-0000-00"
OF_SLIDE = SlideQuery(slide=SlideRef(slide_id=SLIDE))


@pytest.fixture(scope="module")
def odd(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Servers of an archive without slides, one without reports, one whose slides were moved, and one that goes."""
    folder = tmp_path_factory.mktemp("odd")
    Archive.create(folder / "empty.archive")
    slides = folder / "slides"
    slides.mkdir()
    for name in ("SIM-0000-00", "SIM-0001-00", "SIM-0002-00"):
        shutil.copyfile(cohort / f"{name}.tiff", slides / f"{name}.tiff")
    shutil.copyfile(cohort / "metadata.csv", folder / "metadata.csv")
    Archive.create(folder / "mute.archive").index([slides], folder / "metadata.csv")
    slides.rename(folder / "elsewhere")
    shutil.copytree(folder / "mute.archive", folder / "going.archive")
    names = ("empty", "mute", "going")
    with serving([folder / f"{name}.archive" for name in names], folder / "state") as server:
        with server.client() as client:
            client.list_archives()
        shutil.rmtree(folder / "going.archive")
        yield server


@pytest.fixture
def asking(odd: RunningServer) -> Iterator[Client]:
    with Client(odd.url, odd.token) as client:
        yield client


def refused(ask: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ServerProblem) as caught:
        ask()
    return caught.value.problem.status, caught.value.problem.detail


def test_an_archive_that_is_gone_leaves_the_others_in_use(asking: Client, odd: RunningServer) -> None:
    assert [(one.name, one.slides) for one in asking.list_archives()] == [("empty", 0), ("mute", 3)]
    assert httpx2.get(f"{odd.url}api/v1/ready", timeout=HANG_S).status_code == 503
    for ask in (lambda: asking.get_archive("going"), lambda: asking.search("going", SearchRequest(query=OF_SLIDE))):
        status, detail = refused(ask)
        assert status == 503
        assert str(odd.state.parent) not in detail


@pytest.mark.parametrize("query", [OF_SLIDE, TextQuery(text="necrosis"), CaseQuery(case_id="SIM-0001")], ids=str)
def test_of_no_slides_none_are_found(asking: Client, query: Query) -> None:
    assert [*asking.list_slides("empty")] == []
    assert asking.count_facets("empty").slides == 0
    assert refused(lambda: asking.search("empty", SearchRequest(query=query))) == (
        422,
        "archive: the archive is empty. Index some slides first",
    )
    assert refused(lambda: asking.get_map("empty"))[0] == 422
    assert refused(lambda: asking.get_thumbnail("empty", SLIDE))[0] == 404


def test_without_reports_words_find_nothing(asking: Client) -> None:
    assert asking.search("mute", SearchRequest(query=TextQuery(text="necrosis"))).nothing_fits
    status, detail = refused(lambda: asking.search("mute", SearchRequest(query=ReportQuery(slide_id=SLIDE))))
    assert status == 422
    assert "report" in detail
    assert (asking.get_report("mute", SLIDE).text, asking.get_archive("mute").reads_text) == ("", False)


def test_slides_that_were_moved_are_found_and_not_shown(asking: Client) -> None:
    assert [one.has_image for one in asking.list_slides("mute")] == [False] * 3
    found = asking.search("mute", SearchRequest(query=OF_SLIDE)).results
    assert {one.slide_id for one in found} == {"SIM-0001-00", "SIM-0002-00"}
    region = RegionQuery(slide=SlideRef(slide_id=SLIDE), regions=(Box(x=50, y=50, width=500, height=500),))
    assert asking.search("mute", SearchRequest(query=region)).results
    assert asking.explain("mute", ExplainRequest(query=OF_SLIDE, slide_id="SIM-0001-00")).result_attention
    for ask in (
        lambda: asking.get_image("mute", SLIDE),
        lambda: asking.get_thumbnail("mute", SLIDE),
        lambda: asking.get_tile("mute", SLIDE, 0, 0, 0),
    ):
        assert refused(ask)[0] == 404


def test_feature_files_are_searched_and_have_no_pictures(shared_data: Path, tmp_path: Path, cohort: Path) -> None:
    path = tmp_path / "features.archive"
    archive = Archive.create(path, Recipe(encoder="features:unnamed"))
    archive.index([shared_data / "features"])
    with serving([path], tmp_path / "state") as server, server.client() as client:
        (slide,) = client.list_slides("features")
        assert not client.get_archive("features").has_images
        assert not slide.has_image
        assert refused(lambda: client.get_thumbnail("features", slide.slide_id))[0] == 404
        query = SlideQuery(slide=SlideRef(slide_id=slide.slide_id))
        assert client.search("features", SearchRequest(query=query)).results == ()
        upload_id = client.upload(cohort / f"{SLIDE}.tiff").upload_id
        status, detail = refused(
            lambda: client.search("features", SearchRequest(query=SlideQuery(slide=SlideRef(upload_id=upload_id))))
        )
        assert (status, "feature files" in detail) == (422, True)
        job = [*client.watch_job(client.encode(upload_id, "features").job_id)][-1]
        assert (job.state, "feature files" in (job.error or "")) == ("failed", True)
