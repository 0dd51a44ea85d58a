"""What checksums of rows cost: processor time for a slide that is written, for one that is read, beside all else.

python benchmarks/checksums.py FOLDER [--slides 1000] [--dimension 1280]

FOLDER must not exist. Rows are drawn: 16 mosaic vectors, a report of 2,000 characters. No slide is read or encoded.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import LanguageVectors, SlideRecord, StoredSlide, to_table
from histoseek.archive.stores.checksums import list_altered, with_checksums
from histoseek.archive.stores.registry import create_slides
from histoseek.mosaics.signature import MosaicTiles, Signature

_BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, default=1000)
    parser.add_argument("--dimension", type=int, default=1280)
    given = parser.parse_args()
    store = create_slides(ArchiveLayout(given.folder), given.dimension)
    slides = [make_slide(number, given.dimension) for number in range(given.slides)]
    batches = [slides[start : start + _BATCH] for start in range(0, len(slides), _BATCH)]
    tables = [to_table(batch, store._store.schema) for batch in batches]
    ids = [slide.record.slide_id for slide in slides]
    report = given.slides
    print(f"rows written: {spend(lambda: [store.upsert(batch) for batch in batches], report):.2f} ms a slide")
    sums = spend(lambda: [with_checksums(t, [()] * t.num_rows) for t in tables], report)
    print(f"of which checksums: {sums:.2f} ms")
    print(f"rows read one by one: {spend(lambda: [store.get([one]) for one in ids[:100]], 100):.2f} ms a slide")
    rows = [store._rows([one], store._schema.names) for one in ids[:100]]
    print(f"of which checksums: {spend(lambda: [list_altered(row) for row in rows], 100):.2f} ms")


def spend(work: Callable[[], object], slides: int) -> float:
    """Processor time for a slide, in ms."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000 / slides


def make_slide(number: int, dimension: int) -> StoredSlide:
    """One with drawn vectors."""
    rng, now = np.random.default_rng(number), datetime(2026, 1, 1, tzinfo=UTC)
    vectors = rng.standard_normal((17, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tiles = tuple(
        MosaicTiles(rng.integers(0, 9999, (12, 2)).astype(np.int32), np.ones(12, np.float32)) for _ in range(16)
    )
    shares = np.full(16, 1 / 16, np.float32)
    signature = Signature.create(vectors[-1], vectors[:-1].astype(np.float16), shares, tiles, 448)
    report = " ".join(f"word{word}" for word in rng.integers(0, 5000, 250).tolist())
    facts = (f"s{number:05d}", f"/s/{number}.svs", f"f1-{number}", 90000, 80000, 0.25, 200, now, now)
    record = SlideRecord(*facts, patient_id=f"P{number}", diagnosis="carcinoma", report=report)
    return StoredSlide(record, signature, LanguageVectors(report_tokens=f" {report} "))


if __name__ == "__main__":
    main()
