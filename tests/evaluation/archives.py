"""Small labelled archives for evaluation tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from tests.weights import write_table


def labelled_archive(
    folder: Path,
    labels: Sequence[int],
    patients: Sequence[int],
    sites: Sequence[int] | None = None,
    *,
    class_effect: float = 0.7,
    site_effect: float = 0.0,
    tiles: int | Sequence[int] = 20,
    reports: Sequence[str] | None = None,
) -> Archive:
    """Slides slide-000 and so on whose features point where their class and their site do; tiles: of every slide, or
    of each."""
    rng = np.random.default_rng(0)
    classes, places = rng.standard_normal((20, 24)), rng.standard_normal((20, 24))
    (folder / "features").mkdir(parents=True)
    rows: list[dict[str, object]] = []
    for number, (label, patient) in enumerate(zip(labels, patients, strict=True)):
        site = sites[number] if sites else 0
        count = tiles if isinstance(tiles, int) else tiles[number]
        features = rng.standard_normal((count, 24)) + class_effect * classes[label] + site_effect * places[site]
        with h5py.File(folder / "features" / f"slide-{number:03d}.h5", "w") as file:
            file["features"] = features.astype(np.float32)
            file["coords"] = np.array([(448 * (i % 5), 448 * (i // 5)) for i in range(count)])
            file["coords"].attrs["patch_size_level0"] = 448
        rows.append(
            {
                "slide_id": f"slide-{number:03d}",
                "patient_id": f"patient-{patient}",
                "diagnosis": f"class {label}",
                "site": f"site {site}",
                "report": reports[number] if reports else "",
            }
        )
    archive = Archive.create(folder / "archive", Recipe(encoder="features:test"), text_encoder="none")
    table = write_table(folder / "slides.csv", rows)
    archive.index([folder / "features"], table, table if reports else None)
    return archive
