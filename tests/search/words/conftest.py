"""An archive of slides in plain colours, with an encoder that has words for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from histoseek import Archive
from histoseek.encoders.recipe import Recipe
from tests.word_tower import NAME, Installed, install, write_features

BLOCK = [(column, row) for column in range(3, 7) for row in range(4, 7)]
"""Twelve tiles of 144 that lie together."""

SLIDES: Mapping[str, Sequence[tuple[str, int, int]]] = {
    "plain-1": [],
    "plain-2": [("violet", 0, 0)],
    "teal-1": [("teal", column, row) for column, row in BLOCK],
    "crimson-1": [("crimson", column, row) for column, row in BLOCK],
    "crimson-2": [("crimson", column + 4, row + 4) for column, row in BLOCK],
    "crimson-teal": [
        *(("crimson", column, row) for column, row in BLOCK),
        *(("teal", column + 4, row + 4) for column, row in BLOCK),
    ],
    "cobalt-1": [("cobalt", column, row) for column, row in BLOCK],
}


def make_archive(
    folder: Path, slides: Mapping[str, Sequence[tuple[str, int, int]]] = SLIDES, encoder: str = NAME
) -> Archive:
    """A new archive of feature files."""
    (folder / "features").mkdir(parents=True)
    for name, patches in slides.items():
        write_features(folder / "features" / f"{name}.h5", patches)
    archive = Archive.create(folder / "colours.archive", Recipe(encoder=f"features:{encoder}"), text_encoder="none")
    archive.index([folder / "features"])
    return archive


@pytest.fixture(scope="package")
def installed() -> Iterator[Installed]:
    patch = pytest.MonkeyPatch()
    yield install(patch)
    patch.undo()


@pytest.fixture(scope="package")
def archive(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Not to be changed."""
    return make_archive(tmp_path_factory.mktemp("words"))


@pytest.fixture
def own_archive(installed: Installed, tmp_path: Path) -> Archive:
    return make_archive(tmp_path)
