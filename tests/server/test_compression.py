"""What is worth it is sent compressed: files of the page as the build made them, JSON as it is answered."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from histoseek.server import web_page

SCRIPT = b"export const answer = 42;"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A page of one script in all codings, and one as it is."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "view.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "view.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "assets" / "view.js.br").write_bytes(b"brotli")
    (tmp_path / "assets" / "small.js").write_bytes(SCRIPT)
    monkeypatch.setattr(web_page, "STATIC", tmp_path)
    app = FastAPI()
    web_page.add_page(app)
    return TestClient(app)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", None), ("", None)],
)
def test_files_are_sent_as_browsers_take_them(page: TestClient, accepted: str, coding: str | None) -> None:
    with page.stream("GET", "/assets/view.js", headers={"Accept-Encoding": accepted}) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in answer.headers["Cache-Control"]
    assert sent == {"br": b"brotli", "gzip": gzip.compress(SCRIPT), None: SCRIPT}[coding]


def test_codings_have_tags_of_their_own(page: TestClient) -> None:
    tags = {
        page.head("/assets/view.js", headers={"Accept-Encoding": accepted}).headers["ETag"]
        for accepted in ("br", "gzip", "identity")
    }
    assert len(tags) == 3
    tag = page.head("/assets/view.js", headers={"Accept-Encoding": "gzip"}).headers["ETag"]
    again = page.get("/assets/view.js", headers={"Accept-Encoding": "gzip", "If-None-Match": tag})
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["a" * 300, "a" * 3000 + ".js", "a%00b.js", "%ed%a0%80.js", "..%2f..%2fx", "", "."])
@pytest.mark.parametrize("accepted", ["br", "identity"])
def test_odd_names_are_no_files(page: TestClient, name: str, accepted: str) -> None:
    assert page.get(f"/assets/{name}", headers={"Accept-Encoding": accepted}).status_code == 404


def test_small_files_are_sent_as_they_are(page: TestClient) -> None:
    answer = page.get("/assets/small.js", headers={"Accept-Encoding": "br"})
    assert "Content-Encoding" not in answer.headers
    assert answer.content == SCRIPT


@pytest.mark.parametrize("place", ["../view.js", "%2e%2e/view.js", "other.js"])
def test_there_is_nothing_beside_them(page: TestClient, place: str) -> None:
    assert page.get(f"/assets/{place}", headers={"Accept-Encoding": "gzip"}).status_code == 404


def test_json_is_compressed_and_pictures_are_not(raw: httpx2.Client) -> None:
    slides = raw.get("/archives/cohort/slides", headers={"Accept-Encoding": "gzip"})
    assert slides.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in slides.headers["Vary"]
    plain = raw.get("/archives/cohort/slides", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == slides.json()
    assert int(slides.headers["Content-Length"]) < len(plain.content) / 2
    place = f"/archives/cohort/slides/{slides.json()['items'][0]['slide_id']}/thumbnail"
    assert "Content-Encoding" not in raw.get(place, headers={"Accept-Encoding": "gzip"}).headers
