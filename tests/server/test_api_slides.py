"""Archives, slides, reports and pictures over REST, and who may change what."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import httpx2
import numpy as np
import pytest
from PIL import Image

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.rest.base import Region
from histoseek.rest.workspace import UploadToIndex
from histoseek.slides.slide import open_slide
from tests.server.conftest import new_client, new_token
from tests.server.running import RunningServer, serving
from tests.waiting import HANG_S

SLIDE = "SIM-0000-00"


def pixels(jpeg: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(jpeg))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return np.asarray(image, np.int16)


def means(image: np.ndarray, edge: int) -> np.ndarray:
    """The mean colour of each square of an image."""
    height, width, _ = image.shape
    return image.reshape(height // edge, edge, width // edge, edge, 3).mean(axis=(1, 3))


def test_the_server_tells_who_asks_and_what_it_is(client: Client, reader: Client) -> None:
    assert client.get_health().status == "ok"
    assert (client.get_session().role, client.get_session().write) == ("write", True)
    assert (reader.get_session().role, reader.get_session().write) == ("read", False)
    assert "not a medical device" in client.get_session().disclaimer.lower()


def test_archives_are_listed_with_what_they_are(reader: Client, client: Client, indexed: Path) -> None:
    assert [one.name for one in reader.list_archives()] == ["cohort", "work"]
    one, archive = reader.get_archive("cohort"), Archive.open(indexed)
    assert (one.slides, one.patients, one.cases, one.writable) == (10, 5, 5, False)
    assert (one.tile_encoder, one.spacing_um_per_px) == (archive.recipe.encoder, archive.recipe.spacing_um_per_px)
    assert {"diagnosis", "age"} < {field.name for field in one.fields}
    assert not {"uri", "file_fingerprint"} & {field.name for field in one.fields}
    assert client.get_archive("cohort").writable


def test_slides_come_page_by_page(raw: httpx2.Client, reader: Client) -> None:
    found, after = [], None
    while True:
        page = raw.get("/archives/cohort/slides", params={"limit": 3, **({"after": after} if after else {})}).json()
        found += [slide["slide_id"] for slide in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert found == sorted(found)
    assert found == [slide.slide_id for slide in reader.list_slides("cohort")]
    assert len(found) == 10
    colon = list(reader.list_slides("cohort", where="organ = 'colon'"))
    assert {slide.organ for slide in colon} == {"colon"}


def test_a_slide_is_told_without_its_file(raw: httpx2.Client, indexed: Path) -> None:
    told, record = raw.get(f"/archives/cohort/slides/{SLIDE}"), Archive.open(indexed).get(SLIDE).record
    slide = told.json()
    assert (slide["diagnosis"], slide["patient_id"], slide["extra"]["age"]) == (
        record.diagnosis,
        record.patient_id,
        record.extra["age"],
    )
    assert slide["has_report"]
    assert slide["has_image"]
    assert str(Path(record.uri).parent) not in told.text
    assert record.file_fingerprint not in told.text


def test_a_report_has_its_text_sections_and_facts(reader: Client, indexed: Path) -> None:
    report = reader.get_report("cohort", SLIDE)
    assert report.text == Archive.open(indexed).get(SLIDE).record.report
    assert report.sections
    assert report.text[report.sections[0].start :].startswith(report.sections[0].heading)
    assert "adenocarcinoma of the colon" in {report.text[fact.start : fact.end].lower() for fact in report.facts}


def test_tiles_and_thumbnails_show_the_slide(reader: Client, cohort: Path) -> None:
    image = reader.get_image("cohort", SLIDE)
    edge, level = image.tile_size_px, image.max_level
    assert (image.width, image.height, image.overlap_px) == (768, 768, 0)
    with open_slide(cohort / f"{SLIDE}.tiff", 0.5) as slide:
        for column, row in ((0, 0), ((image.width - 1) // edge, (image.height - 1) // edge)):
            tile = pixels(reader.get_tile("cohort", SLIDE, level, column, row))
            x, y = column * edge, row * edge
            shown = slide.read_level(0, x, y, min(edge, 768 - x), min(edge, 768 - y)).astype(np.int16)
            assert tile.shape == shown.shape
            assert np.abs(tile - shown).mean() < 3
        whole = slide.read_level(0, 0, 0, 768, 768)
    thumbnail = pixels(reader.get_thumbnail("cohort", SLIDE, 128))
    assert thumbnail.shape == (128, 128, 3)
    assert np.abs(means(thumbnail, 16) - means(whole, 96)).max() < 4


def test_regions_are_shown_by_size_or_scale(reader: Client, cohort: Path) -> None:
    spacing = reader.get_slide("cohort", SLIDE).spacing_um_per_px
    region = Region(x=-64, y=128, width=256, height=128)
    shown = pixels(reader.get_region("cohort", SLIDE, region, px=128))
    assert shown.shape == (64, 128, 3)
    assert shown[:, :24].min() > 240
    with open_slide(cohort / f"{SLIDE}.tiff", 0.5) as slide:
        inside = slide.read_level(0, 0, 128, 192, 128)
    assert np.abs(means(shown[:, 32:], 16) - means(inside, 32)).max() < 8
    assert pixels(reader.get_region("cohort", SLIDE, region, um_per_px=4 * spacing)).shape == (32, 64, 3)


def test_regions_are_kept_by_browsers_and_what_is_not_there_is_refused(raw: httpx2.Client) -> None:
    address = f"/archives/cohort/slides/{SLIDE}/region"
    asked = {"x": 0, "y": 0, "width": 100, "height": 100}
    first = raw.get(address, params=asked)
    again = raw.get(address, params=asked, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    for other in ({"x": 768}, {"width": 0}, {"px": 5000}, {"px": 64, "um_per_px": 1}, {"um_per_px": 0.02}):
        refused = raw.get(address, params={**asked, **other})
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")


def test_the_deep_zoom_description_is_that_of_the_tiles(raw: httpx2.Client) -> None:
    answer = raw.get(f"/archives/cohort/slides/{SLIDE}/image.dzi")
    image = raw.get(f"/archives/cohort/slides/{SLIDE}/image").json()
    root = ElementTree.fromstring(answer.content)
    assert answer.headers["content-type"].startswith("application/xml")
    assert (root.attrib["TileSize"], root.attrib["Overlap"]) == (str(image["tile_size_px"]), "0")
    assert {size.attrib["Width"] for size in root} == {"768"}


def test_pictures_are_kept_by_browsers_until_they_change(raw: httpx2.Client) -> None:
    first = raw.get(f"/archives/cohort/slides/{SLIDE}/thumbnail")
    again = raw.get(f"/archives/cohort/slides/{SLIDE}/thumbnail", headers={"If-None-Match": first.headers["etag"]})
    assert "private" in first.headers["cache-control"]
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("place", ["9/2_0", "9/0_99", "40/0_0", "10/99_0"])
def test_tiles_outside_are_not_there(raw: httpx2.Client, place: str) -> None:
    answer = raw.get(f"/archives/cohort/slides/{SLIDE}/image_files/{place}.jpg")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_metadata_can_be_changed_by_those_who_may(client: Client, reader: Client) -> None:
    with pytest.raises(ServerProblem, match="may only read"):
        reader.change_slide("work", SLIDE, {"diagnosis": "normal"})
    changed = client.change_slide(
        "work", SLIDE, {"diagnosis": "normal", "age": 81, "report": "Diagnosis: none. John Doe."}
    )
    assert (changed.diagnosis, changed.extra["age"]) == ("normal", 81)
    assert reader.get_slide("work", SLIDE).model_dump() == changed.model_dump(exclude={"erased", "job_id"})
    assert reader.get_report("work", SLIDE).text.startswith("Diagnosis: none.")
    assert reader.get_slide("cohort", SLIDE).diagnosis != "normal"


@pytest.mark.parametrize("column", ["slide_id", "uri", "file_fingerprint", "width", "mosaic", "report_facts", "../x"])
def test_what_describes_the_file_can_not_be_changed(client: Client, column: str) -> None:
    with pytest.raises(ServerProblem) as caught:
        client.change_slide("work", SLIDE, {column: "x"})
    assert caught.value.problem.status == 422


def test_slides_can_be_removed_by_those_who_may(client: Client, reader: Client, cohort: Path) -> None:
    with pytest.raises(ServerProblem, match="may only read"):
        reader.remove_slide("work", "SIM-0004-01")
    client.remove_slide("work", "SIM-0004-01")
    with pytest.raises(ServerProblem) as caught:
        reader.get_slide("work", "SIM-0004-01")
    assert caught.value.problem.status == 404
    with pytest.raises(ServerProblem) as caught:
        client.remove_slide("work", "SIM-0004-01")
    assert caught.value.problem.status == 404
    assert (cohort / "SIM-0004-01.tiff").is_file()
    assert len([*reader.list_slides("cohort")]) == 10


def test_readiness_and_counts_are_told(raw: httpx2.Client, kept_server: RunningServer) -> None:
    with httpx2.Client(base_url=kept_server.url, timeout=HANG_S) as nobody:
        assert nobody.get("/api/v1/ready").json()["status"] == "ok"
        assert nobody.get("/metrics").status_code == 401
    counts = raw.get(f"{kept_server.url}metrics").text
    assert 'histoseek_requests_total{method="GET",route="/api/v1/archives/{archive}/slides/{slide_id}"' in counts
    assert SLIDE not in counts


def test_every_answer_has_an_id(raw: httpx2.Client) -> None:
    answers = [raw.get(f"/archives{path}") for path in ("", "/nowhere", "/nowhere")]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert ids[1:] == [answer.json()["request_id"] for answer in answers[1:]]
    assert len({*ids}) == 3


def test_browsers_get_a_session_for_a_token(kept_server: RunningServer) -> None:
    token = new_token(kept_server, "read")
    with httpx2.Client(base_url=kept_server.url, headers={"X-Histoseek": "page"}, timeout=HANG_S) as browser:
        assert browser.post("/api/v1/session", json={"token": token}).json()["role"] == "read"
        assert browser.get("/api/v1/archives").status_code == 200
        assert token not in str(browser.cookies)
        assert browser.delete("/api/v1/session").status_code == 204
        assert browser.get("/api/v1/archives").status_code == 401


def test_a_server_without_write_changes_nothing(indexed: Path, tmp_path: Path, cohort: Path) -> None:
    with serving([indexed], tmp_path / "state") as server, new_client(server) as client:
        assert not client.get_session().write
        assert not client.get_archive("cohort").writable
        upload = client.upload(cohort / f"{SLIDE}.tiff")
        for change in (
            lambda: client.change_slide("cohort", SLIDE, {"diagnosis": "x"}),
            lambda: client.remove_slide("cohort", SLIDE),
            lambda: client.index("cohort"),
            lambda: client.index("cohort", [UploadToIndex(upload_id=upload.upload_id)]),
        ):
            with pytest.raises(ServerProblem, match="read-only") as caught:
                change()
            assert caught.value.problem.status == 403
        assert client.get_slide("cohort", SLIDE).diagnosis != "x"
