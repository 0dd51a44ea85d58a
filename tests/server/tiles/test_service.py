"""The tile service: JPEG files, their cache, what it never shows."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, current_thread

import cv2
import numpy as np
import openslide
import pytest
from PIL import Image

from histoseek.errors import InputError, SlideNotFound, UnreadableSlide
from histoseek.server.tiles.deepzoom import DeepZoom
from histoseek.server.tiles.service import TileService
from histoseek.server.tiles.tile_grid import ImageInfo, NoSuchTile
from histoseek.slides.readers.base import Pixels
from histoseek.slides.slide import Slide
from histoseek.slides.sources.file import FileSource
from tests.server.tiles.pictures import halves, smooth_noise, write_tiff
from tests.waiting import HANG_S, wait_for


@pytest.fixture
def slide(tmp_path: Path) -> FileSource:
    return FileSource(write_tiff(tmp_path / "slide.tif", halves(smooth_noise(700, 500, patch_px=150), 2)))


def shown(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "JPEG"
        return np.asarray(picture).astype(float)


def test_tiles_and_what_to_know_of_them(slide: FileSource) -> None:
    service = TileService(2, 16)
    info = service.describe(slide, 0.31)
    assert (info.width, info.height, info.spacing_um_per_px) == (700, 500, 0.31)
    assert (info.tile_size_px, info.overlap_px, info.max_level) == (128, 0, 10)
    picture = smooth_noise(700, 500, patch_px=150)
    whole = np.concatenate([np.hstack([shown(service.make_tile(slide, 10, x, y)) for x in range(6)]) for y in range(4)])
    assert whole.shape == (500, 700, 3)
    assert np.abs(whole - picture).mean() < 3
    service.close()


def test_finished_tiles_are_made_once(slide: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = DeepZoom.read_tile
    monkeypatch.setattr(DeepZoom, "read_tile", lambda self, *place: made.append(place) or original(self, *place))
    service = TileService(2, 16)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda place: service.make_tile(slide, *place), [(8, 1, 0), (8, 0, 0)] * 20))
    assert len(set(answers)) == 2
    assert len(made) <= 2 * max(2, len(os.sched_getaffinity(0)))
    before = len(made)
    assert service.make_tile(slide, 8, 1, 0) == answers[0]
    assert len(made) == before
    service.close()
    assert service.make_tile(slide, 8, 1, 0) == answers[0]
    assert len(made) == before + 1


def test_a_slow_slide_does_not_hold_up_the_others(slide: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = FileSource(write_tiff(slide.path.with_name("slow.tif"), [smooth_noise(300, 200)], compression="zlib"))
    go_on, reading = Event(), Event()
    read_level = Slide.read_level

    def read(self: Slide, *place: int) -> Pixels:
        if self.source == slow:
            reading.set()
            assert go_on.wait(timeout=HANG_S)
        return read_level(self, *place)

    monkeypatch.setattr(Slide, "read_level", read)
    service = TileService(4, 16)
    with ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(service.make_tile, slow, level, 0, 0) for level in range(9)]
        waiting += [pool.submit(service.make_thumbnail, slow, 64)]
        assert reading.wait(timeout=HANG_S)
        try:
            assert pool.submit(service.make_tile, slide, 0, 0, 0).result(timeout=HANG_S)
            assert pool.submit(service.make_thumbnail, slide, 64).result(timeout=HANG_S)
            assert not any(one.done() for one in waiting)
        finally:
            go_on.set()
        assert all(one.result(timeout=HANG_S) for one in waiting)


@pytest.mark.parametrize("px", [64, 250, 700])
def test_thumbnails(slide: FileSource, px: int) -> None:
    service = TileService(2, 16)
    data = service.make_thumbnail(slide, px)
    expected = cv2.resize(smooth_noise(700, 500, patch_px=150), (px, round(px * 5 / 7)), interpolation=cv2.INTER_AREA)
    assert np.abs(shown(data) - expected).mean() < 8
    assert service.make_thumbnail(slide, px) is data


@pytest.mark.parametrize("px", [-1, 0, 15, 2049, 10**9])
def test_thumbnails_of_other_sizes_are_refused(slide: FileSource, px: int) -> None:
    with pytest.raises(InputError, match="16 to 2048"):
        TileService(2, 16).make_thumbnail(slide, px)


def test_faults(slide: FileSource, tmp_path: Path) -> None:
    service = TileService(2, 16)
    for place in ((11, 0, 0), (-1, 0, 0), (10, 6, 0), (10, 0, -1), (10**9, 10**9, 10**9)):
        with pytest.raises(NoSuchTile):
            service.make_tile(slide, *place)
    (tmp_path / "text.svs").write_text("no slide")
    for path, error in ((tmp_path / "none.tif", SlideNotFound), (tmp_path / "text.svs", UnreadableSlide)):
        for ask in (
            lambda p: service.make_tile(p, 0, 0, 0),
            lambda p: service.make_thumbnail(p, 64),
            lambda p: service.describe(p, 1),
        ):
            with pytest.raises(error):
                ask(FileSource(path))
    with pytest.raises(SlideNotFound):
        service.compute_etag(FileSource(tmp_path / "none.tif"))


def test_the_etag_follows_the_file(slide: FileSource) -> None:
    service = TileService(2, 16)
    first, tile = service.compute_etag(slide), service.make_tile(slide, 8, 0, 0)
    assert first == TileService(1, 1).compute_etag(slide)
    assert first[0] == first[-1] == '"' and len(first) == 34
    write_tiff(slide.path, halves(smooth_noise(700, 500, seed=9), 2))
    assert service.compute_etag(slide) != first
    assert service.make_tile(slide, 8, 0, 0) != tile


def test_label_and_macro_are_never_shown(shared_data: Path) -> None:
    service = TileService(4, 16)
    for name in ("TCGA-5P-A9K0_1.svs", "TCGA-5P-A9K0_2.svs", "TCGA-5P-A9K0_3.svs", "CMU-1-Small-Region.svs"):
        path = shared_data / "slides" / name
        with openslide.OpenSlide(str(path)) as raw:
            hidden = [small(np.asarray(raw.associated_images[kind].convert("RGB"))) for kind in ("label", "macro")]
            slide = np.asarray(raw.get_thumbnail((512, 512)).convert("RGB"))
        source = FileSource(path)
        info = service.describe(source, 0.5)
        pictures = [shown(service.make_thumbnail(source, px)) for px in (16, 256, 2048)]
        pictures += [shown(service.make_tile(source, *place)) for place in places(info)]
        assert len(pictures) > info.max_level
        sizeable = [picture for picture in pictures if min(picture.shape[:2]) >= 16]
        assert max(likeness(picture, secret) for picture in sizeable for secret in hidden) < 0.9, name
        assert likeness(shown(service.make_thumbnail(source, 256)), slide) > 0.9


def places(info: ImageInfo) -> list[tuple[int, int, int]]:
    """Level, column and row of all tiles, counted anew."""
    found = []
    for level in range(info.max_level + 1):
        tile_px = 2 ** (info.max_level - level) * info.tile_size_px
        columns, rows = -(-info.width // tile_px), -(-info.height // tile_px)
        found += [(level, column, row) for column in range(columns) for row in range(rows)]
    return found


def small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture.astype(np.float32), (48, 48), interpolation=cv2.INTER_AREA)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two pictures brought to one size."""
    pair = [small(picture).ravel() for picture in (one, other)]
    return float(np.corrcoef(*pair)[0, 1]) if min(part.std() for part in pair) >= 1 else 0.0


def test_a_file_that_goes_on_being_asked_for_is_looked_at_by_nobody_who_waits(
    slide: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    original = FileSource.state
    monkeypatch.setattr(FileSource, "state", lambda self: looks.append(current_thread().name) or original(self))
    now = [0.0]
    service = TileService(2, 16, lambda: now[0])
    picture = service.make_tile(slide, 8, 0, 0)
    looks.clear()
    for wanted in range(1, 8):
        now[0] += 0.7
        while len(looks) < wanted:
            found = service.recall_tile(slide, 8, 0, 0)
            assert found is not None
            assert found[1] == picture
    assert all(name.startswith("files") for name in looks)
    assert len(looks) < 15
    now[0] += 10
    assert service.recall_tile(slide, 8, 0, 0) is None, "nobody asked for it meanwhile"
    service.close()


def test_a_file_that_is_gone_is_forgotten_in_time(slide: FileSource) -> None:
    now = [0.0]
    service = TileService(2, 16, lambda: now[0])
    service.make_tile(slide, 8, 0, 0)
    slide.path.unlink()
    now[0] = 1.0
    wait_for(lambda: service.recall_tile(slide, 8, 0, 0) is None)
    with pytest.raises(SlideNotFound):
        service.make_tile(slide, 8, 0, 0)
    service.close()
