"""Tiles in the space of words go with their slides through all that happens to an archive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from histoseek import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.schema import WORD_TILES
from histoseek.archive.space_folders import SpaceChange
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.bag import load_bag
from histoseek.encoders.recipe import Recipe
from histoseek.mosaics.tile_words import WordTiles
from tests.archive.feature_files import write_feature_files
from tests.word_tower import CARD, NAME, Installed, install, write_features


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    return install(monkeypatch)


def make_archive(folder: Path) -> Archive:
    (folder / "features").mkdir()
    for name, colour in (("a", "crimson"), ("b", "teal"), ("c", "cobalt")):
        write_features(folder / "features" / f"{name}.h5", [(colour, 1, 1), (colour, 2, 1)], size=7)
    archive = Archive.create(folder / "archive", Recipe(encoder=f"features:{NAME}"))
    archive.index([folder / "features"])
    return archive


def tiles_of(archive: Archive, *slide_ids: str) -> dict[str, WordTiles]:
    return dict(archive.store.word_tiles.of(slide_ids or ("a", "b", "c")))


def test_they_are_kept_with_the_rows_and_are_of_the_tower(installed: Installed, tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    tiles = tiles_of(archive)
    assert tiles.keys() == {"a", "b", "c"} and archive.store.word_tiles.tower == installed.words.weights_hash
    bag = load_bag(archive.layout.bag("a"))
    vectors = installed.words.project_tiles(bag.features)
    places = [[*map(tuple, bag.coords.tolist())].index(tuple(one)) for one in tiles["a"].coords.tolist()]
    assert np.allclose((tiles["a"].codes * tiles["a"].scales[:, None] * vectors[places]).sum(1), 1, atol=1e-3)
    assert archive.verify(deep=True).problems == ()


def test_features_called_after_the_encoder_in_other_letters_have_its_words(
    installed: Installed, tmp_path: Path
) -> None:
    write_features(tmp_path / "a.h5", [("crimson", 1, 1)], size=7)
    archive = Archive.create(tmp_path / "archive", Recipe(encoder=f"features:{NAME.title()}"))
    archive.index([tmp_path / "a.h5"])
    assert archive.store.word_tiles.tower == installed.words.weights_hash and tiles_of(archive, "a").keys() == {"a"}


def test_changes_of_metadata_and_spaces_keep_them(installed: Installed, tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    before = tiles_of(archive)
    archive.update("a", {"organ": "colon"})
    installed.available = False
    archive = Archive.open(archive.path)
    reencode(archive, SpaceChange(untrained=True))
    assert tiles_of(archive) == before and archive.store.word_tiles.tower == installed.words.weights_hash
    archive.verify(repair=True)
    assert tiles_of(archive) == before


def test_altered_tiles_are_noticed_and_made_anew(installed: Installed, tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    before = tiles_of(archive)
    overwrite(archive.store, "b", before["a"].pack())
    assert {(one.slide_id, one.kind) for one in archive.verify().problems} == {("b", "signature")}
    assert archive.verify(repair=True).problems == ()
    assert tiles_of(archive) == before
    [slide] = archive.store.get(["b"])
    archive.store.upsert([replace(slide, word_tiles=before["a"].pack())])
    assert archive.verify().problems == ()
    [problem] = archive.verify(deep=True).problems
    assert "in the space of words" in problem.what
    archive.store.upsert([replace(slide, word_tiles=b"no tiles")])
    assert archive.verify(deep=True, repair=True).problems == ()
    assert tiles_of(archive) == before


def overwrite(store: SlideTable, slide_id: str, packed: bytes) -> None:
    """As a fault of a disk would, past the checksums."""
    store._store.fill(pa.table({"slide_id": [slide_id], WORD_TILES: pa.array([packed], pa.binary())}))


def test_removed_slides_leave_nothing_of_them(installed: Installed, tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    codes = tiles_of(archive, "b")["b"].codes.tobytes()
    rows = archive.store.word_tiles.rows(installed.words.weights_hash, installed.words.dimension)
    assert set(rows.slide_ids.tolist()) == {"a", "b", "c"}
    assert any(codes in path.read_bytes() for path in archive.path.rglob("*") if path.is_file())
    archive.remove(["b"], now=True)
    assert tiles_of(archive).keys() == {"a", "c"}
    files = [path.read_bytes() for path in archive.path.rglob("*") if path.is_file()]
    assert not any(codes in data for data in files)
    assert [result.slide_id for result in archive.search(text="teal", k=5)].count("b") == 0


def test_words_that_come_later_are_caught_up_with(installed: Installed, tmp_path: Path) -> None:
    installed.available = False
    (tmp_path / "features").mkdir()
    write_features(tmp_path / "features" / "a.h5", [("crimson", 1, 1)], size=6)
    archive = Archive.create(tmp_path / "archive", Recipe(encoder=f"features:{NAME}"))
    report = archive.index([tmp_path / "features"])
    assert [one for one in report.warnings if "words in the tile space are not available" in one]
    assert WORD_TILES not in archive.store._schema.names
    installed.available = True
    archive = Archive.open(archive.path)
    assert any("were not compared with words yet" in one for one in archive.search(text="crimson").warnings)
    archive.upgrade()
    assert tiles_of(archive, "a")
    installed.words.weights_hash = "e2" * 8
    archive = Archive.open(archive.path)
    assert any("were not compared" in one for one in archive.search(text="crimson").warnings)
    archive.index([tmp_path / "features"])
    assert tiles_of(archive, "a")["a"].tower == "e2" * 8 == archive.store.word_tiles.tower


def test_features_that_do_not_fit_are_indexed_without(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(features: np.ndarray) -> np.ndarray:
        raise ValueError("of another variant")

    monkeypatch.setattr(installed.words, "project_tiles", refuse)
    folder = write_feature_files(tmp_path / "features", ["a", "b"], 5, CARD.dimension)
    archive = Archive.create(tmp_path / "archive", Recipe(encoder=f"features:{NAME}"))
    report = archive.index([folder])
    assert report.added == 2
    assert [one for one in report.warnings if f"dimension {CARD.dimension} don't fit" in one]


def test_archives_without_words_are_as_they_were(installed: Installed, tmp_path: Path) -> None:
    folder = write_feature_files(tmp_path / "features", ["a", "b"], 5, 20)
    archive = Archive.create(tmp_path / "archive", Recipe(encoder="features:other"))
    archive.index([folder])
    assert WORD_TILES not in archive.store._schema.names and installed.words.asked == 0
    assert not any("words in the tile space" in warning for warning in archive.search(text="colon").warnings)
    chance = archive.layout.chance.read_text()
    assert "tile words" not in chance
