"""What the jobs of benchmarks/page_jobs.py are done with, and what Python says that each must show."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import BrowserContext, Locator, Page
from shapely.geometry import shape
from tests.server.running import RunningServer

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord
from histoseek.geometry import Rect
from histoseek.search.queries import ArchivedSlide, Query, Region, ReportText, SlideFile, TextQuery

SENTENCE = "papillary carcinoma of the thyroid with necrosis"
REPORT = "Colon, biopsy: adenocarcinoma.\nSections show irregular glands.\nNecrosis is present."
DIAGNOSIS = "lymphoma"
WORKLIST = 10
SAME_PICTURE = 0.95
SAME_SCALE = 1.02


class NotPossible(Exception):
    """The page can't do a job, and why."""


class WrongAnswer(Exception):
    """The page shows something else than Python finds."""


@dataclass
class World:
    """A server with a copy of an archive that may be changed; folder: for files; colleague: makes a fresh profile."""

    server: RunningServer
    archive: Archive
    folder: Path
    colleague: Callable[[], BrowserContext]
    records: list[SlideRecord] = field(init=False)

    def __post_init__(self) -> None:
        self.records = sorted(self.archive.records(), key=lambda one: one.slide_id)
        self._bytes = itertools.count(1)

    @property
    def slide(self) -> SlideRecord:
        """The one that is looked for, searched with and annotated."""
        return self.records[7]

    @property
    def part(self) -> str:
        """A part of the name of its file, which no other file has."""
        name = Path(self.slide.uri).stem
        return name[name.index("-") + 1 :]

    def new_file(self, at: int) -> bytes:
        """A slide that the archive does not know: one of its own with other bytes behind the picture."""
        return Path(self.records[at].uri).read_bytes() + b"\0" * next(self._bytes)

    def worklist_files(self) -> dict[str, bytes]:
        """Names and contents of slides that the archive does not know."""
        return {f"case-{at}.tiff": self.new_file(2 * at) for at in range(WORKLIST)}

    def require_ranking(self, shown: Sequence[str], query: Query) -> None:
        """What is shown must be what Python finds, in its order."""
        if not shown:
            raise WrongAnswer("nothing is shown")
        self.require(list(shown), [one.slide_id for one in self.archive.search(query, k=len(shown))])

    @staticmethod
    def require(shown: object, wanted: object) -> None:
        """They must be equal."""
        if shown != wanted:
            raise WrongAnswer(f"{shown} is shown, {wanted} wanted")


def check_name(world: World, shown: str) -> None:
    """shown: the id of the slide that is open."""
    found = [one.slide_id for one in world.records if world.part.lower() in Path(one.uri).name.lower()]
    world.require([shown], found)


def check_patient(world: World, shown: Sequence[str]) -> None:
    """shown: the ids listed, in any order."""
    own = world.archive.records(f"patient_id = '{world.slide.patient_id}'")
    world.require(sorted(shown), sorted(one.slide_id for one in own))


def check_sentence(world: World, shown: Sequence[str]) -> None:
    """shown: the ids of the results."""
    world.require_ranking(shown, TextQuery(SENTENCE))


def check_report(world: World, shown: Sequence[str]) -> None:
    """shown: the ids of the results."""
    world.require_ranking(shown, ReportText(REPORT))


def check_drop(world: World, shown: Sequence[str]) -> None:
    """shown: the ids of the results of the file of `World.slide`, with other bytes behind it."""
    file = world.folder / "dropped.tiff"
    file.write_bytes(world.new_file(world.records.index(world.slide)))
    world.require_ranking(shown, SlideFile(file))


def check_region(world: World, shown: tuple[Mapping[str, int], Sequence[str]]) -> None:
    """shown: the region that the page sent, in level-0 px, and the ids of the results."""
    box, found = shown
    rect = Rect(box["x"], box["y"], box["width"], box["height"])
    world.require_ranking(found, Region(ArchivedSlide(world.slide.slide_id), (rect,)))


def check_filter(world: World, shown: Sequence[str]) -> None:
    """shown: the ids listed, in any order."""
    found = world.archive.records(f"diagnosis = '{DIAGNOSIS}'")
    world.require(sorted(shown), sorted(one.slide_id for one in found))


def check_compare(world: World, shown: tuple[str, float, float]) -> None:
    """shown: the id of the result, micrometres of a screen px on either side."""
    result, one, other = shown
    world.require_ranking([result], ArchivedSlide(world.slide.slide_id))
    if not 1 / SAME_SCALE < one / other < SAME_SCALE:
        raise WrongAnswer(f"{one:.3f} and {other:.3f} um per screen px")


def check_annotation(world: World, shown: Path) -> None:
    """shown: the GeoJSON that was saved."""
    features = json.loads(shown.read_text(encoding="utf-8"))["features"]
    with world.server.client() as client:
        kept = json.loads(client.export_annotations(world.archive.path.stem, world.slide.slide_id))["features"]
    areas, wanted = ([shape(one["geometry"]).area for one in each] for each in (features, kept))
    world.require(areas, wanted)
    if len(areas) != 1 or areas[0] <= 0:
        raise WrongAnswer(f"areas of {areas} px were saved")


def check_share(_: World, shown: tuple[bytes, bytes]) -> None:
    """shown: screenshots of both views."""
    one, other = (cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_GRAYSCALE) for each in shown)
    if one.shape != other.shape:
        raise WrongAnswer(f"views of {one.shape} and {other.shape} px")
    alike = float(np.corrcoef(one.ravel().astype(np.float64), other.ravel())[0, 1])
    if alike < SAME_PICTURE:
        raise WrongAnswer(f"the views correlate by {alike:.2f}")


def check_added(world: World, shown: str) -> None:
    """shown: the id of the slide that was added."""
    Archive.open(world.archive.path).get(shown)


def check_worklist(world: World, shown: Mapping[str, str]) -> None:
    """shown: the first nearest slide of each of the ten files, by their names."""
    files = [world.folder / name for name in world.worklist_files()]
    for file, content in zip(files, world.worklist_files().values(), strict=True):
        file.write_bytes(content)
    rows = world.archive.worklist(files)
    world.require(dict(shown), {row.name: row.nearest[0].slide_id for row in rows})


def um_per_screen_px(viewer: Locator) -> float:
    """Measured at the scale bar of a viewer."""
    bar = viewer.locator(".viewer-scale-line")
    said = viewer.get_by_role("img", name="Scale bar").first.get_attribute("aria-label") or ""
    length, unit = said.split()[-2:]
    box = bar.bounding_box()
    assert box
    return float(length) * (1000 if unit == "mm" else 1) / box["width"]


def listed(page: Page) -> list[str]:
    """The ids of the slides that are shown, in their order."""
    return [one.get_attribute("data-slide") or "" for one in page.locator("main [data-slide]").all()]
