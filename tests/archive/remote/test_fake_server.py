"""The fake server does what servers must do, so that tests with it say something of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.archive.remote.fake_server import FolderFiles
from tests.archive.remote.files_contract import *  # noqa: F403
from tests.archive.remote.files_contract import Opener


@pytest.fixture
def opener(tmp_path: Path) -> Opener:
    return partial(FolderFiles, tmp_path / "one")


@pytest.fixture
def files(opener: Opener) -> object:
    return opener()


@pytest.fixture
def neighbour(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path / "one-more")
