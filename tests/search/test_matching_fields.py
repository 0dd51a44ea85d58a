"""Which fields are shown of results: of one size, on tissue, around what matched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord
from histoseek.geometry import Rect, Size
from histoseek.search.explain.matching_fields import TissueTiles, choose_size_um
from histoseek.search.queries import ArchivedCase, ArchivedSlide, Composed, Region
from histoseek.search.results import SearchResults
from histoseek.slides.slide import open_slide
from histoseek.tissue.mask import look_for_tissue
from histoseek.tissue.settings import TissueSettings

TILE, SLIDE = 20, Size(200, 160)


@pytest.fixture
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


def covered(tiles: TissueTiles, field: Rect) -> float:
    """The share of a field that tiles cover, counted pixel by pixel."""
    canvas = np.zeros((400, 400), bool)
    for x, y in tiles.corners.tolist():
        canvas[100 + y : 100 + y + tiles.edge, 100 + x : 100 + x + tiles.edge] = True
    return float(canvas[100 + field.y : 100 + field.bottom, 100 + field.x : 100 + field.right].mean())


places = st.tuples(st.integers(0, SLIDE.width // TILE - 1), st.integers(0, SLIDE.height // TILE - 1))


@given(st.sets(places, min_size=1, max_size=30), st.data())
def test_fields_hold_their_regions_lie_on_the_slide_and_have_no_less_tissue_than_around_the_middle(
    grid: set[tuple[int, int]], data: st.DataObject
) -> None:
    corners = np.array(sorted(grid), np.int64) * TILE
    tiles = TissueTiles(corners, TILE, 1.0, SLIDE)
    regions = [
        Rect(x * TILE, y * TILE, TILE, TILE) for x, y in data.draw(st.lists(st.sampled_from(sorted(grid)), max_size=4))
    ]
    fields = tiles.place_fields(regions, 50)
    assert len(fields) == len(regions)
    for field, region in zip(fields, regions, strict=True):
        assert (field.width, field.height) == (50, 50)
        assert field.x <= region.x and field.y <= region.y
        assert field.right >= region.right and field.bottom >= region.bottom
        assert field.x >= 0 and field.y >= 0 and field.right <= SLIDE.width and field.bottom <= SLIDE.height
        middle = Rect(
            min(max(0, region.x - 15), SLIDE.width - 50), min(max(0, region.y - 15), SLIDE.height - 50), 50, 50
        )
        assert covered(tiles, field) >= covered(tiles, middle) - 1e-9
        np.testing.assert_allclose(
            tiles.measure_tissue(np.array([[field.x, field.y]]), 50), [covered(tiles, field)], atol=1e-9
        )


def test_a_field_at_the_rim_of_tissue_moves_inwards() -> None:
    corners = np.array([(x, y) for x in range(0, 100, TILE) for y in range(0, 160, TILE)], np.int64)
    tiles = TissueTiles(corners, TILE, 1.0, SLIDE)
    [field] = tiles.place_fields([Rect(80, 60, TILE, TILE)], 60)
    assert (field.right, covered(tiles, field)) == (100, 1.0)


def test_a_field_on_a_slide_that_is_smaller_lies_around_it() -> None:
    tiles = TissueTiles(np.array([[0, 0]], np.int64), TILE, 1.0, Size(40, 30))
    assert tiles.place_fields([Rect(0, 0, TILE, TILE)], 100) == [Rect(-30, -35, 100, 100)]


def test_sizes_leave_room_around_regions() -> None:
    assert [choose_size_um(length) for length in (10, 80, 81, 112, 400, 9e9)] == [100, 100, 200, 200, 500, 10_000]


def check(archive: Archive, results: SearchResults, with_query: bool) -> None:
    """All have a field of one size in um, which lies on tissue."""
    assert results.field_um
    for result in results:
        record = result.record
        edge = round(results.field_um / record.spacing_um_per_px)
        assert 1 <= len(result.fields) <= 3
        for field in result.fields:
            assert (field.region.width, field.region.height) == (edge, edge)
            assert (field.query_region is not None) == with_query
        whole = Rect(0, 0, record.width, record.height)
        assert measure_tissue(record, result.fields[0].region) > 0.9 * measure_tissue(record, whole)


def measure_tissue(record: SlideRecord, field: Rect) -> float:
    """By the mask of the slide itself."""
    with open_slide(record.uri) as slide:
        tissue = look_for_tissue(slide, TissueSettings())
        shrink = tissue.spacing_um_per_px / slide.spacing_um_per_px
    rows, columns = (
        slice(max(0, int(start / shrink)), max(1, int(end / shrink)))
        for start, end in ((field.y, field.bottom), (field.x, field.right))
    )
    return float(tissue.covered[rows, columns].mean())


def test_fields_of_slides_show_what_matched_best(archive: Archive) -> None:
    results = archive.search(like=archive.records()[0].slide_id, k=8)
    check(archive, results, with_query=True)
    for result in results:
        first, field = result.matches[0], result.fields[0]
        assert first.result_region and first.query_region and field.query_region
        for region, shown in ((first.result_region, field.region), (first.query_region, field.query_region)):
            assert shown.x <= region.x and shown.right >= region.right
            assert shown.y <= region.y and shown.bottom >= region.bottom
        assert len({(one.region.x, one.region.y) for one in result.fields}) == len(result.fields)


def test_fields_of_regions_cases_and_composed_questions_have_their_counterparts(archive: Archive) -> None:
    first = archive.records()[0]
    region = Region(ArchivedSlide(first.slide_id), (Rect(100, 100, 400, 400),))
    check(archive, archive.search(region, k=4), with_query=True)
    check(archive, archive.search(Composed(ArchivedSlide(first.slide_id), "lymphoma"), k=4), with_query=True)
    check(archive, archive.search(ArchivedSlide(first.slide_id), k=3, to="cases"), with_query=True)
    check(archive, archive.search(ArchivedCase(first.case_id or ""), k=3), with_query=True)


def test_words_without_regions_show_the_tile_with_the_largest_attention(archive: Archive) -> None:
    results = archive.search(text="lymphoma", k=5)
    check(archive, results, with_query=False)
    for result in results:
        signature = archive.get(result.slide_id).signature
        x, y = signature.mosaic_tiles[int(signature.shares.argmax())].coords[0].tolist()
        shown = result.fields[0].region
        if not result.text_regions:
            assert shown.x <= x < shown.right and shown.y <= y < shown.bottom


def test_fields_are_in_the_json(archive: Archive) -> None:
    results = archive.search(like=archive.records()[0].slide_id, k=1)
    assert f'"field_um": {results.field_um}' in results.to_json()
