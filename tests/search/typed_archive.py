"""An archive with metadata of all types, in which every third value is missing, and reports."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa

from histoseek.api import Archive
from tests.archive.tables import update_metadata
from tests.evaluation.archives import labelled_archive

TEXTS = ("it's", "a\\", '"quoted"', "Größe ß", "`x`", "1", "true", "a -- b;", "two\nlines", "%_", "null")
NUMBERS = (0, -5, 2**40, 7)
SIZES = (0.25, -1e-300, float("inf"), 1e22)
DAYS = (date(2024, 2, 29), date(1999, 12, 31))
COLUMNS = {"word": TEXTS, "count": NUMBERS, "size": SIZES, "fresh": (True, False), "day": DAYS}
KINDS = {"word": pa.string(), "count": pa.int64(), "size": pa.float64(), "fresh": pa.bool_(), "day": pa.date32()}
REPORTS = (
    "Breast, biopsy: invasive ductal carcinoma, grade 3.",
    "Breast, biopsy: ductal carcinoma in situ.",
    "Colon, biopsy: adenocarcinoma, grade 2.",
    "",
)


def make_typed_archive(folder: Path) -> Archive:
    """24 slides slide-000 and so on."""
    reports = [REPORTS[i % 4] for i in range(24)]
    archive = labelled_archive(folder, [i % 3 for i in range(24)], list(range(24)), tiles=4, reports=reports)
    archive.store.ensure_columns(KINDS)
    for number in range(24):
        values = {name: own[number % len(own)] for name, own in COLUMNS.items() if (number + len(name)) % 3}
        update_metadata(archive.store, f"slide-{number:03d}", values)
    return archive
