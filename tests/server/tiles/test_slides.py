"""Keeping slides open: few, never closed under a reader, never out of date."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histoseek.errors import SlideNotFound, UnreadableSlide
from histoseek.server.tiles import open_slides as module
from histoseek.server.tiles.cache import ByteCache
from histoseek.server.tiles.open_slides import OpenSlides
from histoseek.slides.slide import Slide, open_slide
from histoseek.slides.sources.file import FileSource
from tests.server.tiles.pictures import smooth_noise, write_tiff
from tests.waiting import HANG_S


class Watched:
    """Counts what is open, by name."""

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        self.opened: Counter[str] = Counter()
        self._lock = threading.Lock()

    def open_slide(self, source: FileSource, spacing_um_per_px: float) -> Slide:
        slide = open_slide(source, spacing_um_per_px)
        close = slide.close
        slide.close = lambda: (self._count(source, -1), close())  # type: ignore[method-assign, assignment]
        self._count(source, 1)
        return slide

    def _count(self, source: FileSource, change: int) -> None:
        with self._lock:
            self.open[source.name] += change
            self.opened[source.name] += max(0, change)
            assert self.open[source.name] >= 0, "closed twice"

    def names(self) -> set[str]:
        return set(+self.open)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    watching = Watched()
    monkeypatch.setattr(module, "open_slide", watching.open_slide)
    return watching


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("slides")
    return [write_tiff(folder / f"{n}.tif", [smooth_noise(300, 200, seed=n)]) for n in range(5)]


def look(slides: OpenSlides, path: Path) -> np.ndarray:
    with slides.use(FileSource(path)) as image:
        return image.read_tile(image.grid.max_level, 0, 0)


def test_the_least_recently_used_goes_first(watched: Watched, files: list[Path]) -> None:
    slides = OpenSlides(2, 10**9)
    for number in (0, 1, 0, 2):
        look(slides, files[number])
    assert watched.names() == {"0.tif", "2.tif"}
    assert watched.opened["0.tif"] == 1
    slides.close()
    assert watched.names() == set()


def test_no_slide_is_closed_under_its_reader(watched: Watched, files: list[Path]) -> None:
    slides = OpenSlides(1, 10**9)
    with slides.use(FileSource(files[0])) as image:
        before = image.read_tile(9, 0, 0)
        look(slides, files[1])
        assert watched.names() == {"0.tif", "1.tif"}
        slides.close()
        assert np.array_equal(image.read_tile(9, 0, 0), before)
        assert watched.names() == {"0.tif"}
    assert watched.names() == set()


def test_a_changed_file_is_opened_again(watched: Watched, tmp_path: Path) -> None:
    path, slides = tmp_path / "slide.tif", OpenSlides(2, 10**9)
    write_tiff(path, [smooth_noise(300, 200, seed=1)])
    first = look(slides, path)
    write_tiff(tmp_path / "other.tif", [smooth_noise(300, 200, seed=2)])
    (tmp_path / "other.tif").replace(path)
    assert not np.array_equal(look(slides, path), first)
    assert (watched.opened["slide.tif"], watched.open["slide.tif"]) == (2, 1)


def test_a_small_change_is_seen_too(tmp_path: Path) -> None:
    path, slides, picture = tmp_path / "slide.tif", OpenSlides(2, 10**9), smooth_noise(300, 200)
    for shade in (10, 200):
        picture[3:9, 3:9] = shade
        write_tiff(path, [picture], compression="zlib")
        assert (look(slides, path)[3:9, 3:9] == shade).all()


def test_what_cannot_be_opened_is_not_kept(watched: Watched, tmp_path: Path) -> None:
    path, slides = tmp_path / "slide.tif", OpenSlides(2, 10**9)
    with pytest.raises(SlideNotFound):
        look(slides, path)
    path.write_text("no slide")
    state = path.stat()
    with pytest.raises(UnreadableSlide):
        look(slides, path)
    with pytest.raises(UnreadableSlide):
        look(slides, tmp_path / "slide.tif" / "below.tif")
    write_tiff(path, [smooth_noise(300, 200)])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert look(slides, path).shape == (128, 128, 3)


def test_a_slide_that_turns_out_damaged_is_opened_anew(watched: Watched, files: list[Path]) -> None:
    slides = OpenSlides(2, 10**9)
    with pytest.raises(UnreadableSlide), slides.use(FileSource(files[0])):
        raise UnreadableSlide(files[0], "damaged tile")
    assert watched.names() == set()
    assert look(slides, files[0]).shape == (128, 128, 3)
    with pytest.raises(KeyError), slides.use(FileSource(files[0])):
        raise KeyError("of the caller's own")
    assert watched.opened["0.tif"] == 2


def test_pixels_held_in_memory_are_bounded(watched: Watched, tmp_path: Path) -> None:
    slides = OpenSlides(10, 2 * 2 * 3 * 200 * 100)
    for number in range(4):
        Image.new("RGB", (200, 100)).save(tmp_path / f"{number}.png")
        look(slides, tmp_path / f"{number}.png")
    assert watched.names() == {"2.png", "3.png"}
    Image.new("RGB", (2000, 1000)).save(tmp_path / "large.png")
    look(slides, tmp_path / "large.png")
    assert watched.names() == {"large.png"}


def test_many_readers_at_once(watched: Watched, files: list[Path]) -> None:
    slides = OpenSlides(2, 10**9)
    expected = [look(slides, path) for path in files]
    start = threading.Barrier(8)

    def read(seed: int) -> None:
        rng = random.Random(seed)
        start.wait(timeout=HANG_S)
        for _ in range(60):
            number = rng.randrange(len(files))
            assert np.array_equal(look(slides, files[number]), expected[number])
            if rng.random() < 0.05:
                slides.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(8)))
    slides.close()
    assert watched.names() == set()


def test_a_slide_is_opened_once_for_all_who_wait(watched: Watched, files: list[Path]) -> None:
    slides, start = OpenSlides(2, 10**9), threading.Barrier(6)

    def read() -> None:
        start.wait(timeout=HANG_S)
        look(slides, files[0])

    with ThreadPoolExecutor(6) as pool:
        for one in [pool.submit(read) for _ in range(6)]:
            one.result()
    assert watched.opened["0.tif"] == 1


def test_bytes_are_kept_up_to_a_bound() -> None:
    cache = ByteCache(10)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"12345")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1234", None, b"12345")
    cache.put("c", b"1")
    cache.put("large", b"12345678901")
    assert (cache.size_bytes, cache.get("large")) == (5, None)
    cache.clear()
    assert (cache.size_bytes, cache.get("a")) == (0, None)
