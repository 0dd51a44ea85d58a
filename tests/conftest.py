"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _shared_data() -> Path | None:
    given = os.environ.get("HISTOSEEK_TEST_DATA")
    path = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    return path if (path / "manifest.csv").is_file() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real slides, tiles and reports; tests that need it are skipped elsewhere."""
    path = _shared_data()
    if path is None:
        pytest.skip("real test data not found: set HISTOSEEK_TEST_DATA to its folder (see CONTRIBUTING.md)")
    return path
