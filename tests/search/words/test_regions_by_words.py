"""From words to regions, and labels without training."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from histoseek import Archive
from histoseek.archive.filters.expression import one_of
from histoseek.cli.app import app
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ArchiveError, ConfigurationError, EncoderError, InputError
from histoseek.geometry import Rect
from histoseek.rest.queries import SearchRequest
from histoseek.search.present.page import render_page
from histoseek.search.queries import TextQuery
from histoseek.search.words.merging import merge_tiles
from histoseek.server.http.responses import to_search_response
from tests.search.words.conftest import make_archive
from tests.word_tower import EDGE, NAME, Installed, write_picture

PLANTED = Rect(3 * EDGE, 4 * EDGE, 4 * EDGE, 3 * EDGE)
MOVED = Rect(PLANTED.x + 4 * EDGE, PLANTED.y + 4 * EDGE, PLANTED.width, PLANTED.height)


def test_the_planted_regions_are_found_whole(archive: Archive) -> None:
    results = archive.search(text="teal", to="regions", k=2)
    assert {(result.slide_id, result.region) for result in results} == {("teal-1", PLANTED), ("crimson-teal", MOVED)}
    assert [result.rank for result in results] == [1, 2] and all(result.fits for result in results)
    assert results.query.to == "regions" and not results.nothing_fits
    assert results.results[0].text_regions[0].region == results.results[0].region
    assert f"{PLANTED.x},{PLANTED.y},{PLANTED.width},{PLANTED.height}" in str(results)


def test_pages_filters_and_unwanted_words(archive: Archive) -> None:
    all_results = archive.search(text="crimson", to="regions", k=6).results
    paged = [archive.search(text="crimson", to="regions", k=2, offset=start).results for start in (0, 2, 4)]
    assert [(r.slide_id, r.region) for page in paged for r in page] == [(r.slide_id, r.region) for r in all_results]
    assert {r.slide_id for r in all_results[:3]} == {"crimson-1", "crimson-2", "crimson-teal"}
    assert max(sum(r.slide_id == one for r in all_results) for one in {r.slide_id for r in all_results}) <= 3
    [only] = archive.search(text="crimson", to="regions", k=1, where="slide_id = 'crimson-2'")
    assert (only.slide_id, only.region) == ("crimson-2", MOVED)
    assert only.score == next(r.score for r in all_results if r.slide_id == "crimson-2")
    without = archive.search(TextQuery("crimson", without="crimson"), to="regions", k=3)
    assert all(result.score < all_results[0].score for result in without)
    assert archive.search(text="the bus is late", to="regions", k=1).nothing_fits
    last = archive.search(text="crimson", to="regions", k=100, offset=2)
    said = f"only {len(last)} regions fit the query and the filter beyond the first 2"
    assert said in last.warnings


def test_what_can_not_be_asked_is_said_in_one_line(archive: Archive, tmp_path: Path, installed: Installed) -> None:
    with pytest.raises(InputError, match="needs words alone"):
        archive.search(like="crimson-1", to="regions")
    with pytest.raises(ConfigurationError, match="by-case"):
        archive.search(text="crimson", to="regions", by_case=True)
    with pytest.raises(ArchiveError, match=r"features:own.*has no words"):
        make_archive(tmp_path, {"a": [], "b": []}, "own").search(text="crimson", to="regions")
    with pytest.raises(InputError, match="at least two"):
        archive.label_zero_shot(["crimson"])
    installed.available = False
    try:
        with pytest.raises(EncoderError, match=r"colour-words: words in the tile space are not available"):
            Archive.open(archive.path).search(text="crimson", to="regions")
    finally:
        installed.available = True


def test_on_the_command_line_and_over_rest(archive: Archive) -> None:
    line = ["search", "--archive", str(archive.path), "--text", "teal", "--to", "regions", "-k", "2"]
    shown = CliRunner().invoke(app, line, catch_exceptions=False)
    assert shown.exit_code == 0 and f"{PLANTED.x},{PLANTED.y},{PLANTED.width},{PLANTED.height}" in shown.output
    found = json.loads(CliRunner().invoke(app, [*line, "--json"], catch_exceptions=False).stdout)["results"]
    assert {one["region"]["width"] for one in found} == {PLANTED.width}
    request = SearchRequest.model_validate({"query": {"kind": "text", "text": "teal"}, "to": "regions"})
    assert request.to == "regions"


def test_labels_without_training(archive: Archive) -> None:
    labels = archive.label_zero_shot(["crimson", "teal", "cobalt"])
    assert labels.best["crimson-1"] == labels.best["crimson-2"] == "crimson"
    assert labels.best["teal-1"] == "teal" and labels.best["cobalt-1"] == "cobalt"
    assert labels.scores.shape == (7, 3)
    some = archive.label_zero_shot(["crimson", "teal"], one_of("slide_id", ["teal-1"]), single=True)
    assert some.best == {"teal-1": "teal"}


def test_neighbours_become_one_region_and_others_stay_apart() -> None:
    coords = np.array([(0, 0), (10, 0), (0, 10), (50, 50), (200, 0)], np.int32)
    scores = np.array([0.9, 0.7, 0.2, 0.8, 0.9])
    found = merge_tiles(scores, coords, 10, 0.1, 3)
    assert [one.region for one in found] == [Rect(0, 0, 20, 10), Rect(200, 0, 10, 10), Rect(50, 50, 10, 10)]
    assert [one.score for one in found] == [0.9, 0.9, 0.8]
    assert merge_tiles(scores, np.full((5, 2), -1, np.int32), 10, 0.1, 3)[0].region is None
    wide = np.array([(x, 0) for x in range(0, 500, 10)], np.int32)
    assert merge_tiles(np.ones(50), wide, 10, 0.1, 1)[0].region == Rect(0, 0, 40, 10)


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=90),
    step=st.sampled_from([10, 7, 13]),
    seed=st.integers(0, 999),
)
def test_boxes_of_regions_never_overlap(cells: list[tuple[int, int]], step: int, seed: int) -> None:
    """Also where tiles overlap each other, or leave gaps."""
    coords = np.array(cells, np.int32) * step
    scores = np.random.default_rng(seed).integers(0, 4, len(cells)) / 4
    regions = merge_tiles(scores, coords, 10, 0.0, 3)
    assert 1 <= len(regions) <= 3 and regions[0].score == scores.max()
    boxes = [region.region for region in regions if region.region]
    for one, other in combinations(boxes, 2):
        apart = one.right <= other.x or other.right <= one.x or one.bottom <= other.y or other.bottom <= one.y
        assert apart, (one, other)


@pytest.fixture(scope="module")
def pictures(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "slides").mkdir()
    patch = [(column, row) for column in (1, 2) for row in (1, 2)]
    write_picture(folder / "slides" / "crimson.png", [("crimson", *place) for place in patch], size=5)
    write_picture(folder / "slides" / "plain.png", size=5)
    archive = Archive.create(folder / "pictures.archive", Recipe(encoder=NAME, keep_pen=True))
    report = archive.index([folder / "slides"], spacing_of={"*": 0.5})
    assert report.added == 2
    return archive


def test_slides_show_the_region_on_the_page_and_in_json(pictures: Archive) -> None:
    results = pictures.search(text="crimson", to="regions", k=1)
    assert results.results[0].slide_id == "crimson" and results.results[0].region == Rect(
        EDGE, EDGE, 2 * EDGE, 2 * EDGE
    )
    assert '"region": {\n' in results.to_json()
    answer = to_search_response(results, (), "key", 1)
    assert answer.query.to == "regions" and answer.results[0].region == answer.results[0].text_regions[0].region
    page = render_page(results, "found")
    assert page.count("data:image/jpeg") >= 2 and "crimson: similarity" in page
    slides = pictures.search(text="crimson", k=2)
    assert slides.results[0].slide_id == "crimson" and "of the score of tile words" in render_page(slides, "found")
