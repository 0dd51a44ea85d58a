"""The sandbox gives what reading in this very process gives, and the same errors."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from histoseek.encoders.bag import Bag
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide_bags import encode_prepared, open_prepared
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.errors import EncoderError, HistoseekError, InputError, SlideError
from histoseek.geometry import Rect
from histoseek.progress import SilentReporter
from histoseek.sandbox.child_setup import ChildLimits
from histoseek.server.tiles import jpeg
from histoseek.server.tiles.deepzoom import DeepZoom
from histoseek.server.tiles.region import RegionPicture
from histoseek.server.tiles.tile_grid import NoSuchTile
from histoseek.server.uploads.errors import RefusedSlide, SandboxBusy
from histoseek.server.uploads.sandbox import Sandbox, SandboxLimits
from histoseek.slides.slide import open_slide
from histoseek.slides.sources.file import FileSource
from tests.server.uploads.processes import readers

SLIDES = ("TCGA-5P-A9K0_3.svs", "CMU-1-Small-Region.svs", "boxes.tiff", "sm_image.dcm", "test3-DAPI-2-387.ndpi")
REAL = "TCGA-5P-A9K0_1.svs"
RECIPE = Recipe(tile_budget=8)


@pytest.fixture(scope="module")
def sandbox(shared_data: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(shared_data / "slides")
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("name", SLIDES)
def test_describes_slides_as_they_are(sandbox: Sandbox, shared_data: Path, name: str) -> None:
    path = shared_data / "slides" / name
    facts = sandbox.describe(path, 0.25)
    with open_slide(path, 0.25) as slide:
        info = DeepZoom(slide).info
        assert (facts.width, facts.height, facts.vendor) == (slide.size.width, slide.size.height, slide.vendor)
        assert [(one.width, one.height, one.downsample) for one in facts.levels] == [
            (one.size.width, one.size.height, one.downsample) for one in slide.levels
        ]
    assert (facts.spacing_um_per_px, facts.tile_size_px, facts.overlap_px, facts.max_level) == (
        0.25,
        info.tile_size_px,
        info.overlap_px,
        info.max_level,
    )


def test_describes_with_the_spacing_of_the_file(sandbox: Sandbox, shared_data: Path) -> None:
    path = shared_data / "slides" / REAL
    with open_slide(path) as slide:
        assert sandbox.describe(path).spacing_um_per_px == slide.spacing_um_per_px


@pytest.mark.parametrize("name", ["boxes.tiff", "TCGA-CR-7395-01A-01-TS1.svs"])
def test_a_spacing_can_be_unknown(sandbox: Sandbox, shared_data: Path, name: str) -> None:
    assert sandbox.describe(shared_data / "slides" / name).spacing_um_per_px is None


@pytest.mark.parametrize("name", SLIDES)
def test_pictures_are_those_of_the_slide(sandbox: Sandbox, shared_data: Path, name: str) -> None:
    path = shared_data / "slides" / name
    image = DeepZoom(open_slide(path, 1.0))
    try:
        for level in (0, image.grid.max_level // 2, image.grid.max_level):
            last = image.grid.count_tiles(level)
            for column, row in {(0, 0), (last.width - 1, last.height - 1)}:
                assert sandbox.make_tile(path, level, column, row) == image.encode_tile(level, column, row)
        assert sandbox.make_thumbnail(path, 200) == jpeg.encode(image.make_thumbnail(200))
        picture = RegionPicture(Rect(-20, 10, 300, 200), 100)
        assert sandbox.make_region(path, picture) == jpeg.encode(image.make_region(picture))
    finally:
        image.close()


@pytest.mark.parametrize("regions", [(), (Rect(200, 200, 600, 500),)], ids=["whole", "region"])
def test_encodes_as_indexing_does(sandbox: Sandbox, shared_data: Path, regions: tuple[Rect, ...]) -> None:
    path = shared_data / "slides" / REAL
    told: list[tuple[int, int | None]] = []
    bag = sandbox.encode(path, RECIPE, None, regions, lambda done, total: told.append((done, total)))
    same = _encoded_here(path, regions)
    np.testing.assert_array_equal(bag.coords, same.coords)
    np.testing.assert_array_equal(bag.weights, same.weights)
    np.testing.assert_allclose(bag.features, same.features, rtol=1e-5, atol=1e-6)
    assert (bag.tile_size_level0, bag.spacing_um_per_px, bag.encoder) == (
        same.tile_size_level0,
        same.spacing_um_per_px,
        same.encoder,
    )
    assert (told[0], told[-1]) == ((0, len(bag)), (len(bag), len(bag)))


def _encoded_here(path: Path, regions: tuple[Rect, ...]) -> Bag:
    encoder = load_tile_encoder(RECIPE.encoder)
    with open_prepared(FileSource(path), RECIPE, encoder.card.tile_px, None, regions) as prepared:
        return encode_prepared(prepared, encoder, 1, SilentReporter())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("broken/unopenable.tiff", "UnreadableSlide"),
        ("missing.svs", "SlideNotFound"),
        ("../README.md", "UnreadableSlide"),
    ],
)
def test_slides_that_cannot_be_read_are_refused(sandbox: Sandbox, shared_data: Path, name: str, kind: str) -> None:
    path = shared_data / "slides" / name
    with pytest.raises(RefusedSlide) as caught:
        sandbox.describe(path, name="my biopsy.svs")
    assert caught.value.kind == kind
    assert isinstance(caught.value, SlideError)
    _says_no_path(caught.value, shared_data, "my biopsy.svs")


def test_damage_inside_is_found_where_it_is_read(sandbox: Sandbox, shared_data: Path) -> None:
    path = shared_data / "slides" / "broken" / "unreadable.svs"
    facts = sandbox.describe(path)
    for _ in range(2):
        with pytest.raises(RefusedSlide) as caught:
            sandbox.make_tile(path, facts.max_level, 0, 0, name="mine.svs")
        assert caught.value.kind == "UnreadableSlide"
        _says_no_path(caught.value, shared_data, "mine.svs")


@pytest.mark.parametrize(
    ("recipe", "regions", "kind"),
    [
        (Recipe(spacing_um_per_px=0.05), (), "SpacingTooFine"),
        (RECIPE, (Rect(5000, 0, 10, 10),), "RegionOutside"),
        (Recipe(tissue_threshold=5.0), (), "NoTissue"),
    ],
)
def test_what_encoding_refuses(
    sandbox: Sandbox, shared_data: Path, recipe: Recipe, regions: tuple[Rect, ...], kind: str
) -> None:
    with pytest.raises(RefusedSlide) as caught:
        sandbox.encode(shared_data / "slides" / REAL, recipe, None, regions, name="mine.svs")
    assert caught.value.kind == kind
    _says_no_path(caught.value, shared_data, "mine.svs")


def test_an_unknown_spacing_is_asked_for(sandbox: Sandbox, shared_data: Path) -> None:
    with pytest.raises(RefusedSlide) as caught:
        sandbox.encode(shared_data / "slides" / "boxes.tiff", RECIPE, name="mine.tiff")
    assert caught.value.kind == "MissingSpacing"
    assert "mine.tiff=0.25" in caught.value.advice


def _says_no_path(error: HistoseekError, folder: Path, name: str) -> None:
    assert name in str(error)
    assert str(folder) not in str(error)
    assert "\n" not in str(error)


def test_tiles_that_are_not_there(sandbox: Sandbox, shared_data: Path) -> None:
    for level, column, row in ((40, 0, 0), (-1, 0, 0), (0, 1, 0), (0, 0, -1)):
        with pytest.raises(NoSuchTile, match=f"{level}/{column}_{row}"):
            sandbox.make_tile(shared_data / "slides" / REAL, level, column, row)


def test_a_thumbnail_has_bounds(sandbox: Sandbox, shared_data: Path) -> None:
    with pytest.raises(InputError, match="px=100000"):
        sandbox.make_thumbnail(shared_data / "slides" / REAL, 100_000)


def test_encoders_that_cannot_be_used(sandbox: Sandbox, shared_data: Path) -> None:
    path = shared_data / "slides" / REAL
    with pytest.raises(EncoderError, match="no such encoder"):
        sandbox.encode(path, Recipe(encoder="nothing"))
    with pytest.raises(InputError, match="feature files"):
        sandbox.encode(path, Recipe(encoder="features:uni"))


def test_several_threads_share_it(sandbox: Sandbox, shared_data: Path) -> None:
    path = shared_data / "slides" / REAL
    facts = sandbox.describe(path)
    image = DeepZoom(open_slide(path, 1.0))
    places = [(column, row) for column in range(4) for row in range(4)]
    found: dict[tuple[int, int], bytes] = {}
    threads = [
        threading.Thread(
            target=lambda place=place: found.update({place: sandbox.make_tile(path, facts.max_level, *place)})
        )
        for place in places
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {place: image.encode_tile(facts.max_level, *place) for place in places}
    image.close()


def test_whoever_waits_too_long_is_told(shared_data: Path) -> None:
    path = shared_data / "slides" / REAL
    one = ChildLimits(2**31, 60.0, 60.0)
    sandbox = Sandbox(shared_data / "slides", SandboxLimits(one, one, wait_s=0.01))

    def told(done: int, total: int | None) -> None:
        with pytest.raises(SandboxBusy):
            sandbox.encode(path, RECIPE)

    assert len(sandbox.encode(path, RECIPE, on_progress=told)) > 0
    sandbox.close()


def test_the_process_knows_little_of_the_server(
    sandbox: Sandbox, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("HISTOSEEK_LANGUAGE_MODEL_URL", "http://model")
    before = set(readers(os.getpid()))
    one = Sandbox(shared_data / "slides")
    one.describe(shared_data / "slides" / REAL)
    (started,) = set(readers(os.getpid())) - before
    environment = Path(f"/proc/{started}/environ").read_bytes()
    open_files = {str(path.readlink()) for path in Path(f"/proc/{started}/fd").iterdir()}
    one.close()
    assert b"http:" not in environment
    slide = str((shared_data / "slides" / REAL).resolve())
    assert {file for file in open_files if file.startswith("/")} == {"/dev/null", slide}
