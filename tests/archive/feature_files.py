"""Feature files as pipelines write them: quick to index."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np


def write_feature_files(folder: Path, stems: Iterable[str], tiles: int, dimension: int) -> Path:
    """A new folder with a file of random features for each stem, the same for the same stems."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for stem in stems:
        with h5py.File(folder / f"{stem}.h5", "w") as file:
            file["features"] = rng.standard_normal((tiles, dimension)).astype(np.float32)
            file["coords"] = rng.integers(0, 9000, (tiles, 2))
            file["coords"].attrs["patch_size_level0"] = 512
    return folder
