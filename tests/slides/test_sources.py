"""A scheme of addresses that nothing in the package knows is one class: this one keeps its slides in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from histoseek.api import Archive
from histoseek.errors import SlideNotFound, UnknownScheme
from histoseek.geometry import Level, Rect, Size
from histoseek.search.present.page import render_page
from histoseek.search.queries import ArchivedSlide, Region, SlideFile
from histoseek.server.archives.images import SlideImages
from histoseek.server.archives.registry import ArchiveRegistry
from histoseek.server.errors import NotFound
from histoseek.server.http.responses import to_slide
from histoseek.server.tiles.service import TileService
from histoseek.slides.readers.base import Pixels, read_clipped
from histoseek.slides.slide import open_slide
from histoseek.slides.sources import registry
from histoseek.slides.sources.base import Discovery, SlideSource
from histoseek.slides.sources.registry import discover, register_scheme

FOLDER = "memory://cohort"
KEPT = ("SIM-0000-00", "SIM-0001-00", "SIM-0002-00", "SIM-0003-00")
ASKED = "SIM-0004-00"


@dataclass(frozen=True)
class MemorySource(SlideSource):
    """A slide in memory, and its own reader."""

    scheme: ClassVar[str] = "memory"
    pyramids: ClassVar[dict[str, tuple[Pixels, ...]]] = {}
    address: str
    spacing_um_per_px: float = 0.5
    vendor: str = "memory"

    @classmethod
    def parse(cls, address: str) -> MemorySource:
        return cls(address)

    @classmethod
    def discover(cls, addresses: Sequence[str]) -> Discovery:
        names = {uri for uri in cls.pyramids for address in addresses if f"{uri}/".startswith(f"{address}/")}
        return Discovery(tuple(map(cls, sorted(names))))

    @property
    def uri(self) -> str:
        return self.address

    @property
    def levels(self) -> tuple[Level, ...]:
        sizes = [Size(pixels.shape[1], pixels.shape[0]) for pixels in self.pyramids[self.uri]]
        return tuple(Level(index, size, sizes[0].width / size.width) for index, size in enumerate(sizes))

    def exists(self) -> bool:
        return self.uri in self.pyramids

    def open(self) -> MemorySource:
        if not self.exists():
            raise SlideNotFound(self.uri)
        return self

    def fingerprint(self) -> str:
        pixels = self.open().pyramids[self.uri][0]
        return f"m1-{hashlib.sha256(pixels.tobytes()).hexdigest()}"

    def state(self) -> str:
        return self.fingerprint()

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        pixels = self.pyramids[self.uri][level]
        size, asked = self.levels[level].size, Rect(x, y, width, height)
        return read_clipped(size, asked, lambda inside: pixels[inside.y : inside.bottom, inside.x : inside.right])

    def close(self) -> None:
        pass


@pytest.fixture
def memory(cohort: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, tuple[Pixels, ...]]]:
    """The scheme with slides of the cohort, registered while a test runs."""
    monkeypatch.setattr(registry, "_SCHEMES", dict(registry._SCHEMES))
    register_scheme(MemorySource)
    for name in (*KEPT, ASKED):
        with open_slide(cohort / f"{name}.tiff", 0.5) as slide:
            levels = [(level.index, 0, 0, level.size.width, level.size.height) for level in slide.levels]
            folder = FOLDER if name in KEPT else "memory://elsewhere"
            MemorySource.pyramids[f"{folder}/{name}.tiff"] = tuple(slide.read_level(*place) for place in levels)
    yield MemorySource.pyramids
    MemorySource.pyramids.clear()


def filled(path: Path, paths: Sequence[Path | str], cohort: Path) -> Archive:
    archive = Archive.create(path, text_encoder="none")
    report = archive.index(paths, cohort / "metadata.csv")
    assert (report.added, report.refused) == (len(KEPT), ())
    return archive


def scores(archive: Archive, query: object) -> list[tuple[str, float]]:
    return [(result.slide_id, result.score) for result in archive.search(query)]  # type: ignore[arg-type]


def test_it_is_discovered_indexed_searched_shown_and_verified(
    memory: dict[str, tuple[Pixels, ...]], cohort: Path, tmp_path: Path
) -> None:
    assert [source.name for source in discover([FOLDER]).slides] == [f"{name}.tiff" for name in KEPT]
    archive = filled(tmp_path / "memory.archive", [FOLDER], cohort)
    assert archive.index([FOLDER], cohort / "metadata.csv").unchanged == len(KEPT)
    assert [record.uri for record in archive.records()] == [f"{FOLDER}/{name}.tiff" for name in KEPT]

    files = filled(tmp_path / "files.archive", [cohort / f"{name}.tiff" for name in KEPT], cohort)
    address, file = f"memory://elsewhere/{ASKED}.tiff", cohort / f"{ASKED}.tiff"
    assert scores(archive, address) == scores(files, SlideFile(file, 0.5))
    assert scores(archive, ArchivedSlide(KEPT[0])) == scores(archive, f"{FOLDER}/{KEPT[0]}.tiff")
    box = Rect(200, 200, 300, 300)
    for slide in (SlideFile(address), ArchivedSlide(KEPT[1])):
        same = SlideFile(file, 0.5) if isinstance(slide, SlideFile) else slide
        assert scores(archive, Region(slide, (box,))) == scores(files, Region(same, (box,)))

    results = archive.search(address)
    page = render_page(results, "results")
    assert page.count("data:image/jpeg") == render_page(files.search(file), "results").count("data:image/jpeg") > 4
    assert f"{KEPT[0]}.tiff" in page

    served = ArchiveRegistry({"memory": archive.path}).get("memory")
    image, tiles = SlideImages().find(served, KEPT[0]), TileService(2, 16)
    assert tiles.make_tile(image.source, 10, 0, 0).startswith(b"\xff\xd8")
    assert tiles.describe(image.source, image.spacing_um_per_px).width == 768
    before = tiles.compute_etag(image.source)
    told = to_slide(served.get_record(KEPT[0]))
    assert (told.file_name, told.has_image) == (f"{KEPT[0]}.tiff", True)

    assert archive.verify().problems == ()
    memory[f"{FOLDER}/{KEPT[0]}.tiff"] = memory[f"{FOLDER}/{KEPT[1]}.tiff"]
    del memory[f"{FOLDER}/{KEPT[2]}.tiff"]
    assert tiles.compute_etag(image.source) != before
    assert {problem.slide_id: problem.what for problem in archive.verify().problems} == {
        KEPT[0]: "its file has changed since it was indexed",
        KEPT[2]: "its file is no longer there",
    }


def test_an_archive_of_a_scheme_that_is_not_known_is_still_listed_and_searched(
    memory: dict[str, tuple[Pixels, ...]], cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = filled(tmp_path / "memory.archive", [FOLDER], cohort)
    expected = scores(archive, ArchivedSlide(KEPT[0]))
    monkeypatch.delitem(registry._SCHEMES, "memory")
    results = archive.search(ArchivedSlide(KEPT[0]))
    assert [(result.slide_id, result.score) for result in results] == expected
    assert f"{KEPT[1]}.tiff" in render_page(results, "results")
    assert len(archive.search(Region(ArchivedSlide(KEPT[0]), (Rect(200, 200, 300, 300),))).results) == 3
    with pytest.raises(UnknownScheme):
        archive.search(f"{FOLDER}/{KEPT[0]}.tiff")
    told = to_slide(archive.get(KEPT[0]).record)
    assert (told.file_name, told.has_image) == (f"{KEPT[0]}.tiff", False)
    with pytest.raises(NotFound):
        SlideImages().find(ArchiveRegistry({"memory": archive.path}).get("memory"), KEPT[0])
    assert {problem.what for problem in archive.verify().problems} == {
        "its file cannot be checked: slides cannot be opened from memory:// addresses"
    }
