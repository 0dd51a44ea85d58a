"""From words to regions by anchors and by aligned tiles: the right ones first, none twice, none of the query's own."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest
from typer.testing import CliRunner

from histoseek import Archive
from histoseek.cli.app import app
from histoseek.geometry import Rect
from histoseek.search.queries import ArchivedReport, TextQuery
from histoseek.search.results import SearchResults
from histoseek.server.http.responses import to_search_response
from tests.word_tower import EDGE

PLANTED = Rect(3 * EDGE, 4 * EDGE, 4 * EDGE, 3 * EDGE)
MOVED = Rect(PLANTED.x + 4 * EDGE, PLANTED.y + 4 * EDGE, PLANTED.width, PLANTED.height)


def overlap(one: Rect, other: Rect) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def check_apart(results: SearchResults) -> None:
    for slide_id in {result.slide_id for result in results}:
        boxes = [result.region for result in results if result.slide_id == slide_id and result.region]
        assert 1 <= len(boxes) <= 3
        assert not any(overlap(one, other) for one, other in combinations(boxes, 2))


def test_aligned_tiles_find_the_planted_regions(aligned: Archive) -> None:
    results = aligned.search(text="teal", to="regions", k=2)
    assert {(result.slide_id, result.region) for result in results} == {("teal-1", PLANTED), ("crimson-teal", MOVED)}
    assert [place.name for result in results for place in result.channels] == ["aligned tiles"] * 2
    assert all(result.fits for result in results) and not results.nothing_fits
    assert aligned.search(text="the bus is late", to="regions", k=1).nothing_fits


def test_anchors_find_them_at_one_scale(anchored: Archive) -> None:
    results = anchored.search(text="teal", to="regions", k=6)
    check_apart(results)
    assert list(dict.fromkeys(result.slide_id for result in results))[:2] == ["teal-1", "crimson-teal"]
    assert {place.name for result in results for place in result.channels} == {"anchors"}
    for slide_id, planted in (("teal-1", PLANTED), ("crimson-teal", MOVED)):
        regions = [result.region for result in results if result.slide_id == slide_id and result.region]
        assert overlap(regions[0], planted)
        assert len({region.width for region in regions}) == 1
    scores = [result.score for result in results]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("kind", ["aligned", "anchored"])
def test_pages_filters_unwanted_words_and_the_own_patient(kind: str, request: pytest.FixtureRequest) -> None:
    archive: Archive = request.getfixturevalue(kind)
    whole = archive.search(text="crimson", to="regions", k=6)
    check_apart(whole)
    paged = [archive.search(text="crimson", to="regions", k=2, offset=start).results for start in (0, 2, 4)]
    assert [(r.slide_id, r.region) for page in paged for r in page] == [(r.slide_id, r.region) for r in whole]
    only = archive.search(text="crimson", to="regions", k=1, where="slide_id = 'crimson-2'").results[0]
    assert only.slide_id == "crimson-2"
    assert only.score in {r.score for r in whole if r.slide_id == "crimson-2"}
    without = archive.search(TextQuery("crimson", without="crimson"), to="regions", k=3)
    assert all(result.score < whole.results[0].score for result in without)
    own = archive.search(ArchivedReport("teal-1"), to="regions", k=20)
    assert {r.record.patient_id for r in own}.isdisjoint({archive.records("slide_id = 'teal-1'")[0].patient_id})
    found = archive.search(ArchivedReport("teal-1"), to="regions", k=1, same_patient=True).results[0]
    assert found.slide_id == "crimson-teal"


def test_an_outline_is_told_where_a_region_is_no_box(anchored: Archive, tmp_path: Path) -> None:
    line = ["search", "--archive", str(anchored.path), "--text", "teal", "--to", "regions", "-k", "20", "--json"]
    answer = json.loads(CliRunner().invoke(app, line, catch_exceptions=False).stdout)
    assert {way["name"] for result in answer["results"] for way in result["ways"]} == {"anchors"}
    for result in answer["results"]:
        box, outline = result["region"], result["outline"]
        assert outline is None or min(x for x, _ in outline) == box["x"]
    results = anchored.search(text="teal", to="regions", k=20)
    response = to_search_response(results, (), "key", 1)
    assert [one.outline for one in response.results] == [one.outline for one in results]
