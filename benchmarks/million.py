"""An embedded archive of a million simulated slides, whose searches `benchmarks/RESULTS.md` has.

python benchmarks/million.py FOLDER [--slides 1000000]

The archive is made in FOLDER once and kept there; its rows are written through the store, 25,000 a commit. Global
vectors lie in clusters whose directions fade as those of real ones do; mosaics are drawn from a pool of vectors.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord, StoredSlide, to_table
from histoseek.archive.space.centre import BagMean
from histoseek.encoders.recipe import Recipe
from histoseek.mosaics.barcodes import make_barcodes
from histoseek.mosaics.signature import MosaicTiles, Signature, make_signature_barcodes

DIMENSION, MOSAIC = 512, 16
KINDS, POOL, BATCH = 2000, 1 << 17, 25_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, default=1_000_000)
    given = parser.parse_args()
    fill(given.folder / f"simulated-{given.slides}-{DIMENSION}", given.slides)


def fill(path: Path, slides: int) -> None:
    """Make the archive; says how long each commit took."""
    rng = np.random.default_rng(0)
    archive = Archive.create(path, Recipe(encoder="features:simulated"))
    archive.settle_space([BagMean(np.zeros(DIMENSION, np.float32), "features:simulated")])
    draw = Draw(rng, archive.store._store.schema)
    for first in range(0, slides, BATCH):
        table = draw.table(first, min(BATCH, slides - first))
        start = time.perf_counter()
        archive.store._store.upsert(table)
        print(f"{first + table.num_rows}\t{time.perf_counter() - start:.1f}", flush=True)


class Draw:
    """Simulated rows: vectors of each are its own, all other columns are one slide's."""

    def __init__(self, rng: np.random.Generator, schema: pa.Schema) -> None:
        self.rng = rng
        self.fading = (1 / np.sqrt(1 + np.arange(DIMENSION) / 8)).astype(np.float32)
        self.turn = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0].astype(np.float32)
        self.kinds = rng.standard_normal((KINDS, DIMENSION), np.float32) * self.fading
        self.pool = rng.standard_normal((POOL, DIMENSION), np.float32).astype(np.float16)
        self.words = make_barcodes(self.pool)
        self.row = to_table([self._slide()], schema)

    def vectors(self, first: int, count: int) -> np.ndarray:
        """Unit vectors of consecutive slides, float32 [n, D]."""
        own = self.rng.standard_normal((count, DIMENSION), np.float32) * self.fading
        vectors = (self.kinds[np.arange(first, first + count) % KINDS] + 0.8 * own) @ self.turn
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def table(self, first: int, count: int) -> pa.Table:
        """Rows of consecutive slides."""
        numbers, vectors = np.arange(first, first + count), self.vectors(first, count)
        near = (numbers[:, None] % KINDS * (POOL // KINDS) + self.rng.integers(0, 64, (count, MOSAIC))) % POOL
        words = np.concatenate([self.words[near], make_barcodes(vectors)[:, None]], axis=1)
        columns = {
            "slide_id": pa.array([f"s{number:07d}" for number in numbers]),
            "patient_id": pa.array([f"p{number // 2}" for number in numbers]),
            "organ": pa.array([f"o{one}" for one in self.rng.integers(0, 10, count)]),
            "site": pa.array([f"s{one}" for one in self.rng.integers(0, 100, count)]),
            "stain": pa.array([f"t{one}" for one in self.rng.integers(0, 1000, count)]),
            "global_vector": pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), DIMENSION),
            "mosaic": _lists(self.pool[near]),
            "barcodes": _lists(words),
        }
        table = pa.concat_tables([self.row] * count).combine_chunks()
        for name, values in columns.items():
            field = table.schema.field(name)
            table = table.set_column(table.schema.get_field_index(name), field, values.cast(field.type))
        return table

    def _slide(self) -> StoredSlide:
        mosaic, shares = self.pool[:MOSAIC], np.full(MOSAIC, 1 / MOSAIC, np.float32)
        vector = self.vectors(0, 1)[0]
        tiles = tuple(MosaicTiles(np.zeros((8, 2), np.int32), np.ones(8, np.float32)) for _ in range(MOSAIC))
        now = datetime(2026, 11, 30, tzinfo=UTC)
        record = SlideRecord(
            slide_id="s", uri="", file_fingerprint="0", width=0, height=0, spacing_um_per_px=0.0, tile_count=1,
            created=now, updated=now, patient_id="p", organ="o", site="s", stain="t",
        )  # fmt: skip
        return StoredSlide(
            record, Signature(vector, mosaic, shares, make_signature_barcodes(mosaic, vector), tiles, 448)
        )


def _lists(values: np.ndarray) -> pa.Array:
    """Arrays [n, ...] as a column of lists."""
    each = int(np.prod(values.shape[1:]))
    return pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1) * each, pa.int32()), values.reshape(-1))


if __name__ == "__main__":
    main()
