"""An embedded archive of a million simulated slides, whose searches `benchmarks/RESULTS.md` has.

python benchmarks/million.py FOLDER [--slides 1000000] [--queries 50]
python benchmarks/million.py FOLDER --simulated 10000000

The archive is made in FOLDER once and kept there; its rows are written through the store, 25,000 a commit. Global
vectors lie in clusters whose directions fade as those of real ones do; mosaics are drawn from a pool of vectors. Whole
searches are timed by default, exactly and with filters, then the first one after a commit and the first one of a new
process. --simulated: ranking alone, of arrays in files (some 4 kB a slide), which are removed afterwards.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord, StoredSlide, to_table
from histoseek.archive.space.centre import BagMean
from histoseek.archive.stores.rows import RankingRows, make_keys, make_signs, quantise
from histoseek.encoders.recipe import Recipe
from histoseek.mosaics.barcodes import make_barcodes
from histoseek.mosaics.distances import compute_squared_lengths, get_distance
from histoseek.mosaics.signature import MosaicTiles, Signature, make_signature_barcodes
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedSlide
from histoseek.search.retrieve.candidates import candidates
from histoseek.search.scope.exclusion import Exclusions, SearchScope
from histoseek.search.search import search

DIMENSION, MOSAIC = 512, 16
KINDS, POOL, BATCH = 2000, 1 << 17, 25_000
DEPTH, WANTED = 10, SearchOptions().candidate_count
CHANGED = 32
DIFFERENT = 500_000
FILTERS = {None: "none", "organ = 'o1'": "10 %", "site = 's1'": "1 %", "stain = 't1'": "0.1 %"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--simulated", type=int)
    parser.add_argument("--first", action="store_true", help="only the first search of this process")
    given = parser.parse_args()
    path = given.folder / f"simulated-{given.slides}-{DIMENSION}"
    if given.simulated:
        rank_arrays(given.folder / "simulated-arrays", given.simulated, given.queries)
    elif given.first:
        time_first(path)
    else:
        if not path.exists():
            fill(path, given.slides)
        measure(path, given.slides, given.queries)


def measure(path: Path, slides: int, queries: int) -> None:
    """Whole searches of an archive; says how long they took."""
    archive = Archive.open(path)
    say("first search, which makes the arrays unless they are there, s", clock(lambda: run(archive, 0, None, False))[0])
    numbers = np.random.default_rng(1).integers(0, slides, queries).tolist()
    for where, name in FILTERS.items():
        found = {}
        for exact in (False, True):
            run(archive, 1, where, exact)
            runs = [clock(partial(run, archive, number, where, exact)) for number in numbers]
            say(f"{name}, {'exact' if exact else 'default'}: p50, p95, CPU ms", *percentiles(runs))
            found[exact] = [one[2] for one in runs]
        shares = [len(set(one) & set(two)) / len(two) for one, two in zip(found[False], found[True], strict=True)]
        say(f"{name}: recall@{DEPTH}", float(np.mean(shares)))
    count = WANTED.among(slides)
    say(f"of {count} candidates found, archived and disturbed", *find_recall(archive, numbers, count))
    say("resident GB, most of it mapped", resident_gb())
    some = archive.store.get([f"s{number:07d}" for number in range(CHANGED)])
    say(f"commit of {CHANGED}, s", clock(lambda: archive.store.upsert(some))[0])
    say("first search after it: s, CPU s", *clock(lambda: run(archive, 2, None, False))[:2])
    for _ in range(2):
        subprocess.run([sys.executable, __file__, str(path.parent), "--slides", str(slides), "--first"], check=True)


def time_first(path: Path) -> None:
    """The first search of a process, which has imported everything."""
    say(
        "opening and first search in a new process: s, CPU s",
        *clock(lambda: run(Archive.open(path), 3, None, False))[:2],
    )


def run(archive: Archive, number: int, where: str | None, exact: bool) -> list[str]:
    """The ids that a search by an archived slide gives."""
    options = SearchOptions(k=DEPTH, where=where, exact=exact)
    return [one.slide_id for one in search(archive, ArchivedSlide(f"s{number:07d}"), options)]


def find_recall(archive: Archive, numbers: list[int], count: int) -> tuple[float, float]:
    """Of the nearest slides by the vectors in full, how many are candidates: of archived queries, and of such as are
    some way off."""
    store, rng = archive.store.snapshot(), np.random.default_rng(2)
    rows, every, shares = store.ranking_rows(), store.ranking_rows().all_places, ([], [])
    for number in numbers:
        own = rows.global_vectors[rows.places_of([f"s{number:07d}"])[0]]
        far = own + rng.standard_normal(DIMENSION, np.float32) * np.float32(0.04)
        for query, share in zip((own, far / np.linalg.norm(far)), shares, strict=True):
            nearest = every[np.argpartition(-(rows.global_vectors @ query)[every], count - 1)[:count]]
            found = candidates(store, query, count, SearchScope())
            share.append(len(np.intersect1d(found.places, nearest)) / count)
    return float(np.mean(shares[0])), float(np.mean(shares[1]))


def clock(do: Callable[[], object]) -> tuple[float, float, object]:
    """Seconds, and those of processors; what it gave."""
    start, used = time.perf_counter(), time.process_time()
    given = do()
    return time.perf_counter() - start, time.process_time() - used, given


def percentiles(runs: list[tuple[float, float, object]]) -> tuple[float, ...]:
    walls, used = np.array([one[:2] for one in runs]).T * 1000
    return *np.percentile(walls, [50, 95]), np.median(used)


def say(what: str, *values: float) -> None:
    """A line, with how busy the machine is."""
    numbers = "\t".join(f"{value:.4g}" for value in values)
    print(f"{what}\t{numbers}\t(load {os.getloadavg()[0]:.1f})", flush=True)


def resident_gb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 2**20


def rank_arrays(folder: Path, slides: int, queries: int) -> None:
    """Time candidates, distances and order of many slides, of which half a million are different."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        store, distance = ArraysOnly(folder, slides), get_distance("symmetric")
        drop_from_cache(folder)

        def rank(number: int) -> list[str]:
            query = store.signature(number)
            scope = SearchScope(None, Exclusions((f"s{number:08d}",)))
            found = candidates(store, query.global_vector, WANTED, scope)
            (distances,) = found.distances(lambda block: distance(query, block))
            return found.list_ids(found.best(distances.total, DEPTH))

        say("first: s, CPU s", *clock(lambda: rank(0))[:2])
        numbers = np.random.default_rng(1).integers(0, slides, queries).tolist()
        for again in ("", " again"):
            runs = [clock(partial(rank, number)) for number in numbers]
            say(f"the same searches{again}: p50, p95, CPU ms", *percentiles(runs))
        say("resident GB, most of it mapped", resident_gb())
    finally:
        shutil.rmtree(folder)


def drop_from_cache(folder: Path) -> None:
    """Let the system forget what the files hold, but for what is gone through from end to end."""
    os.sync()
    for name in ("global_vectors", "barcodes"):
        with (folder / name).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class ArraysOnly:
    """The part of a store that ranking asks, of arrays in files."""

    def __init__(self, folder: Path, slides: int) -> None:
        part = min(slides, DIFFERENT)
        draw = Draw(np.random.default_rng(0))
        batches = [self._draw(draw, first, min(BATCH, part - first)) for first in range(0, part, BATCH)]
        mapped = {}
        for name, array in batches[0].items():
            with (folder / name).open("wb") as file:
                for _ in range(slides // part):
                    for batch in batches:
                        batch[name].tofile(file)
            mapped[name] = np.asarray(np.memmap(folder / name, array.dtype, "r").reshape(-1, *array.shape[1:]))
        del batches
        nobody = np.full(slides, "", "<U1")
        self._rows = RankingRows(
            slide_ids=np.array([f"s{number:08d}" for number in range(slides)]),
            patient_ids=nobody,
            case_ids=nobody,
            row_ids=np.arange(slides, dtype=np.uint64),
            row_order=np.arange(slides),
            order=np.arange(slides),
            patient_keys=make_keys(nobody),
            case_keys=make_keys(nobody),
            offsets=np.arange(slides + 1) * (MOSAIC + 1),
            contexts=np.empty((slides, 0), np.float32),
            **mapped,
        )
        self._all = self._rows.all_places

    def _draw(self, draw: Draw, first: int, count: int) -> dict[str, np.ndarray]:
        vectors = draw.vectors(first, count)
        codes, scales = quantise(vectors)
        return {
            "barcodes": draw.barcodes(vectors, first),
            "global_vectors": vectors,
            "squares": compute_squared_lengths(vectors),
            "codes": codes,
            "scales": scales,
            "signs": make_signs(vectors),
        }

    def ranking_rows(self) -> RankingRows:
        return self._rows

    def ranking_places(self, where: None) -> np.ndarray:
        return self._all

    def signature(self, number: int) -> Signature:
        rows, words = self._rows, slice(*(self._rows.offsets[number : number + 2]))
        mosaic, shares = np.zeros((MOSAIC, DIMENSION), np.float16), np.full(MOSAIC, 1 / MOSAIC, np.float32)
        return Signature(rows.global_vectors[number], mosaic, shares, rows.barcodes[words], (), 448)


def fill(path: Path, slides: int) -> None:
    """Make the archive; says how long each commit took."""
    rng = np.random.default_rng(0)
    archive = Archive.create(path, Recipe(encoder="features:simulated"))
    archive.settle_space([BagMean(np.zeros(DIMENSION, np.float32), "features:simulated")])
    draw, schema = Draw(rng), archive.store._store.schema
    for first in range(0, slides, BATCH):
        table = draw.table(first, min(BATCH, slides - first), schema)
        say(
            f"{first + table.num_rows} slides, commit s",
            clock(partial(archive.store._store.upsert, table))[0],
        )


class Draw:
    """Simulated rows: vectors of each are its own, all other columns are one slide's."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.fading = (1 / np.sqrt(1 + np.arange(DIMENSION) / 8)).astype(np.float32)
        self.turn = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0].astype(np.float32)
        self.kinds = rng.standard_normal((KINDS, DIMENSION), np.float32) * self.fading
        self.pool = rng.standard_normal((POOL, DIMENSION), np.float32).astype(np.float16)
        self.words = make_barcodes(self.pool)

    def vectors(self, first: int, count: int) -> np.ndarray:
        """Unit vectors of consecutive slides, float32 [n, D]."""
        own = self.rng.standard_normal((count, DIMENSION), np.float32) * self.fading
        vectors = (self.kinds[np.arange(first, first + count) % KINDS] + 0.8 * own) @ self.turn
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def mosaics(self, first: int, count: int) -> np.ndarray:
        """Where in the pool the mosaics of consecutive slides are, [n, M]."""
        numbers = np.arange(first, first + count)
        return (numbers[:, None] % KINDS * (POOL // KINDS) + self.rng.integers(0, 64, (count, MOSAIC))) % POOL

    def barcodes(self, vectors: np.ndarray, first: int) -> np.ndarray:
        """Of consecutive slides, those of each one after the other, uint64 [n (M + 1), W]."""
        return self._make_words(vectors, self.mosaics(first, len(vectors))).reshape(-1, self.words.shape[1])

    def _make_words(self, vectors: np.ndarray, near: np.ndarray) -> np.ndarray:
        return np.concatenate([self.words[near], make_barcodes(vectors)[:, None]], axis=1)

    def table(self, first: int, count: int, schema: pa.Schema) -> pa.Table:
        """Rows of consecutive slides."""
        numbers, vectors, near = np.arange(first, first + count), self.vectors(first, count), self.mosaics(first, count)
        words = self._make_words(vectors, near)
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
        table = pa.concat_tables([to_table([self._slide()], schema)] * count).combine_chunks()
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
