"""Indexing with files read in confined processes: the same archive, and a file that ends its process is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histoseek.api import Archive
from histoseek.encoders.features.confined import find_features, load_features, load_stated_facts
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ConfigurationError, HistoseekError, UnreadableSlide
from histoseek.reports.files.confined_files import load_pdf, load_workbook
from histoseek.sandbox import forks, readings
from histoseek.settings import get_settings
from histoseek.slides.readers import confined
from histoseek.slides.slide import open_slide
from tests.archive.feature_files import write_feature_files
from tests.reports.made_files import pdf, workbook
from tests.sandbox.handlers import LIES

Load = Callable[[Path, bool], object]
ROOT = Path(__file__).resolve().parents[2]
SLIDES = ("CMU-1-Small-Region.svs", "boxes.tiff", "sm_image.dcm", "test3-DAPI-2-387.ndpi", "broken/unreadable.svs")


def write_slides(folder: Path, *names: str) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in names:
        picture = np.full((600, 800, 3), 240, np.uint8)
        picture[60:540, 60:740] = rng.integers((120, 50, 120), (200, 110, 200), (480, 680, 3))
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


def vectors(archive: Archive) -> dict[str, bytes]:
    slides = archive.store.get(archive.store.slides())
    return {slide.record.slide_id: slide.signature.global_vector.tobytes() for slide in slides}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Slides whose names say how reading them fails."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "src"))))
    monkeypatch.setattr(confined, "_HANDLER", "tests.sandbox.handlers")
    yield
    forks.get_fork_server("tests.sandbox.handlers").close()
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.mark.usefixtures("failing")
def test_slides_that_end_their_process_are_refused_and_the_others_indexed(tmp_path: Path) -> None:
    slides = write_slides(tmp_path / "slides", "first", "crash-1", "hog-1", "exit-1", "last")
    report = Archive.create(tmp_path / "archive").index([slides], spacing_of={"*.png": 0.5})
    reasons = {Path(refusal.path).stem: refusal.reason for refusal in report.refused}
    assert report.added == 2
    assert set(reasons) == {"crash-1", "hog-1", "exit-1"}
    assert "SIGSEGV" in reasons["crash-1"]
    assert "memory" in reasons["hog-1"]
    assert not any("\n" in reason for reason in reasons.values())


@pytest.mark.usefixtures("failing")
def test_a_slide_that_hangs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slides = write_slides(tmp_path / "slides", "hang-1")
    monkeypatch.setenv("HISTOSEEK_READ_SECONDS", "1")
    get_settings.cache_clear()
    (refusal,) = Archive.create(tmp_path / "archive").index([slides], spacing_of={"*.png": 0.5}).refused
    assert "too long" in refusal.reason


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("name", LIES)
def test_levels_that_cannot_be_are_not_believed(tmp_path: Path, name: str) -> None:
    slides = write_slides(tmp_path / "slides", name)
    with pytest.raises(UnreadableSlide, match="could not be read"):
        open_slide(slides / f"{name}.png", 0.5)


def test_archives_are_the_same_as_with_trust(tmp_path: Path) -> None:
    slides = write_slides(tmp_path / "slides", "a", "b")
    archives = [Archive.create(tmp_path / name) for name in ("confined", "trusted")]
    for archive, trust in zip(archives, (False, True), strict=True):
        assert archive.index([slides], spacing_of={"*.png": 0.5}, trust=trust).added == 2
    assert vectors(archives[0]) == vectors(archives[1])


@pytest.mark.parametrize("name", SLIDES)
def test_pixels_and_errors_are_the_same_as_with_trust(shared_data: Path, name: str) -> None:
    assert read(shared_data / "slides" / name, trust=False) == read(shared_data / "slides" / name, trust=True)


def read(path: Path, trust: bool) -> object:
    try:
        with open_slide(path, 0.25, trust=trust) as slide:
            middle = slide.size.width // 2, slide.size.height // 2
            pixels = (slide.thumbnail(100), slide.read_level(0, *middle, 500, 400), slide.read_level(0, -5, -5, 9, 9))
            facts = slide.levels, slide.vendor, slide.stated_spacing_um_per_px
            return facts, [part.tobytes() for part in pixels]
    except HistoseekError as error:
        return type(error), str(error), error.__dict__


def test_no_process_no_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_slides(tmp_path / "slides", "a") / "a.png"
    monkeypatch.setattr(confined, "_HANDLER", "histoseek.no_such_module")
    with pytest.raises(ConfigurationError, match="--trust"):
        open_slide(path, 0.5)
    assert open_slide(path, 0.5, trust=True).size.width == 800
    monkeypatch.setattr(forks, "can_fork", lambda: False)
    assert open_slide(path, 0.5).size.width == 800


def test_feature_files_are_the_same_as_with_trust(tmp_path: Path) -> None:
    features = write_feature_files(tmp_path / "features", ["a", "b"], tiles=30, dimension=8)
    (features / "bad.h5").write_bytes(b"nothing")
    for path in sorted(features.iterdir()):
        assert load_stated_facts(path) == load_stated_facts(path, trust=True)
        assert outcome(lambda trust, path=path: load_features(path, "features:x", trust), False) == outcome(
            lambda trust, path=path: load_features(path, "features:x", trust), True
        )
    assert find_features([features]) == find_features([features], trust=True)
    archives = [Archive.create(tmp_path / name, Recipe(encoder="features:x")) for name in ("confined", "trusted")]
    reports = [archive.index([features], trust=archive is archives[1]) for archive in archives]
    assert reports[0].refused == reports[1].refused
    assert vectors(archives[0]) == vectors(archives[1])


def test_feature_files_that_links_lead_to_are_read(tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    for name in "abc":
        real = write_feature_files(tmp_path / name, [name], tiles=5, dimension=8) / f"{name}.h5"
        (links / real.name).symlink_to(real)
    for path in sorted(links.iterdir()):
        assert len(load_features(path, "features:x").bag) == 5


def test_feature_files_of_a_folder_that_was_made_anew_are_read(tmp_path: Path) -> None:
    for tiles in (5, 6):
        features = write_feature_files(tmp_path / "features", ["a"], tiles=tiles, dimension=8)
        assert len(load_features(features / "a.h5", "features:x").bag) == tiles
        features.rename(tmp_path / f"before-{tiles}")


def test_dicom_files_without_an_ending_are_read_with_those_beside_them(shared_data: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted((shared_data / "slides" / "openslide_dicom").iterdir())):
        (tmp_path / f"IM{number}").write_bytes(path.read_bytes())
    assert read(tmp_path / "IM0", trust=False) == read(tmp_path / "IM0", trust=True)
    assert isinstance(read(tmp_path / "IM0", trust=False), tuple)


@pytest.mark.parametrize(("name", "load"), [("table.xlsx", load_workbook), ("report.pdf", load_pdf)])
def test_tables_and_documents_are_the_same_as_with_trust(tmp_path: Path, name: str, load: Load) -> None:
    good, bad = tmp_path / name, tmp_path / f"bad-{name}"
    if load is load_pdf:
        pdf(good, "BT /F 12 Tf 20 200 Td (Carcinoma of the lung) Tj ET")
    else:
        workbook(good, [["slide_id", "report"], ["a", "Carcinoma."], ["b", "None."]], {"two": [["slide_id"], ["c"]]})
    bad.write_bytes(b"nothing")
    for path in (good, bad):
        here, there = (outcome(lambda trust, path=path: load(path, trust), trust) for trust in (True, False))
        assert here == there


def outcome(load: Callable[[bool], object], trust: bool) -> object:
    try:
        loaded = load(trust)
        return list(loaded) if isinstance(loaded, Iterator) else loaded
    except HistoseekError as error:
        return type(error), str(error)


def test_a_process_is_used_for_the_files_of_a_folder_and_then_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "_FILES_OF_ONE_PROCESS", 2)
    features = write_feature_files(tmp_path / "features", ["a"], tiles=5, dimension=8) / "a.h5"
    used = []
    for _ in range(4):
        with readings.borrow_process(features, "histoseek.encoders.features.confined_process", "h5py") as process:
            used.append(process)
    assert used[0] is used[1] is not used[2] is used[3]
    assert used[0].has_ended
