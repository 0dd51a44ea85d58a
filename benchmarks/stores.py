"""One simulated archive in each engine: loading, bytes a slide, searches and their recall, on one machine in one run.

python benchmarks/stores.py FOLDER [--engines folder postgresql s3 milvus] [--slides 10000 100000] [--vectors 512x16]
    [--words 200] [--queries 100] [--without-copy]

Rows are drawn by numpy, clustered as slides are, and are the same in every engine. Servers are those of the tests, on
this machine, with their defaults but for memory (PostgreSQL: shared_buffers 1 GB) and with flushing to the disk. Every
engine and size has a process of its own. Lines are tab-separated: see COLUMNS.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from histoseek.api import Archive
from histoseek.archive.filters.parser import parse_filter
from histoseek.archive.schema import make_record_tokens, to_records
from histoseek.archive.space.centre import BagMean
from histoseek.archive.stores.base import Store
from histoseek.archive.stores.registry import open_store
from histoseek.encoders.recipe import Recipe
from histoseek.mosaics.barcodes import make_barcodes
from histoseek.mosaics.signature import MosaicTiles, Signature, pack_tiles
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedSlide
from histoseek.search.search import search

COLUMNS = ["engine", "slides", "what", "filter", "p50_ms", "p95_ms", "recall@10", "note"]
FILTERS = {None: "100 %", "organ = 'o1'": "10 %", "site = 's1'": "1 %", "stain = 't1'": "0.1 %"}
KINDS, SPREAD = 200, 0.8
BATCH, QUERIES_OF_EXACT, DEPTH, CANDIDATES = 2000, 40, 10, 1000
DEPTHS = (30, 100, 300, 1000, 2000, 3162)
NAMES = {"organ": "o", "site": "s", "stain": "t"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Plan:
    """How many slides are drawn, and how large they are; words: of a report, none where 0."""

    slides: int
    dimension: int
    mosaic: int
    words: int
    queries: int
    is_copied: bool = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engines", nargs="*", default=["folder", "postgresql", "s3", "milvus"])
    parser.add_argument("--slides", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--vectors", default="512x16", help="dimension x vectors of a mosaic")
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--without-copy", action="store_true", help="do not copy each archive to a folder at the end")
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        dimension, mosaic = map(int, given.vectors.split("x"))
        plan = Plan(given.slides[0], dimension, mosaic, given.words, given.queries, not given.without_copy)
        run(given.engines[0], given.folder, plan)
        return
    print(*COLUMNS, sep="\t", flush=True)
    for slides in given.slides:
        for engine in given.engines:
            options = ["--vectors", given.vectors, "--words", str(given.words), "--queries", str(given.queries)]
            size = ["--engines", engine, "--slides", str(slides), "--inner", *["--without-copy"] * given.without_copy]
            subprocess.run([sys.executable, __file__, str(given.folder), *options, *size], check=False)


def run(engine: str, folder: Path, plan: Plan) -> None:
    place = folder / f"{engine}-{plan.slides}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    # Bytes are those of what is there, without versions that others may still read.
    os.environ.update(HISTOSEEK_CACHE_DIR=str(place / "cache"), HISTOSEEK_HISTORY_MINUTES="0")
    with SERVERS[engine](place) as address:
        try:
            measure(engine, place, address, plan)
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def serve_folder(place: Path) -> Iterator[str]:
    yield str(place / "archive")


@contextmanager
def serve_postgres(place: Path) -> Iterator[str]:
    from tests.servers.postgres import start_postgres

    durable = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "1GB", "maintenance_work_mem": "1GB"}
    with start_postgres({**durable, "max_wal_size": "4GB"}) as server:
        yield server.address("measured")


@contextmanager
def serve_s3(place: Path) -> Iterator[str]:
    from tests.servers.seaweedfs import SeaweedFS

    with SeaweedFS() as server:
        os.environ.update(server.environment)
        yield f"s3://{server.make_bucket()}/measured"


@contextmanager
def serve_milvus(place: Path) -> Iterator[str]:
    from tests.servers.milvus import start_milvus

    server = start_milvus(place / "milvus")
    try:
        yield f"milvus://{server.host}/measured"
    finally:
        server.stop()


SERVERS = {"folder": serve_folder, "postgresql": serve_postgres, "s3": serve_s3, "milvus": serve_milvus}


def measure(engine: str, place: Path, address: str, plan: Plan) -> None:
    def tell(what: str, where: str, times: Sequence[float], recall: float | None, note: str = "") -> None:
        low, high = (f"{value * 1000:.1f}" for value in np.percentile(times, [50, 95])) if len(times) else ("", "")
        shown = "" if recall is None else f"{recall:.4f}"
        print(engine, plan.slides, what, where, low, high, shown, note, sep="\t", flush=True)

    archive = Archive.create(address, Recipe(encoder="features:simulated"), text_encoder="none")
    with archive.writing():
        archive.settle_space([BagMean(np.zeros(plan.dimension, np.float32), "features:simulated")])
        store = open_store(archive.layout)
        tell("load", "", *load(store, plan))
    vectors, groups = draw_vectors(plan)
    queries = np.random.default_rng(1).integers(0, plan.slides, plan.queries)
    measure_store(open_store(archive.layout).snapshot(), vectors, groups, queries, tell)
    measure_searches(Archive.open(address), queries, tell)
    if not plan.is_copied:
        return
    report = archive.copy_to(place / "copy")
    each = report.seconds / plan.slides * 1000
    tell("copied to a folder", "", [], None, f"{each:.2f} ms a slide, compared, without cached features")


def load(store: Store, plan: Plan) -> tuple[list[float], None, str]:
    times, drawn = [], 0.0
    rng = np.random.default_rng(0)
    kinds = rng.standard_normal((KINDS, plan.mosaic + 1, plan.dimension), np.float32)
    started = time.perf_counter()
    for first in range(0, plan.slides, BATCH):
        begun = time.perf_counter()
        rows = draw_rows(first, min(BATCH, plan.slides - first), kinds, plan, store.schema)
        drawn += time.perf_counter() - begun
        begun = time.perf_counter()
        store.upsert(rows)
        times.append(time.perf_counter() - begun)
    upserts = time.perf_counter() - started - drawn
    begun = time.perf_counter()
    store.optimize()
    tidied = time.perf_counter() - begun
    begun = time.perf_counter()
    store.upsert(draw_rows(0, 32, kinds, plan, store.schema))
    commit = time.perf_counter() - begun
    size = store.stats()
    assert size.rows == plan.slides
    ms, each = upserts / plan.slides * 1000, size.bytes / plan.slides
    row = rows.nbytes / rows.num_rows
    note = f"{ms:.2f} ms a slide, index {tidied:.0f} s, {each:.0f} bytes a slide ({row:.0f} in memory)"
    return times, None, f"{note}, 32 replaced in {commit * 1000:.0f} ms"


def draw_rows(first: int, count: int, kinds: np.ndarray, plan: Plan, schema: pa.Schema) -> pa.Table:
    """Rows of a schema, the same for the same numbers."""
    rng = np.random.default_rng([first, count])
    numbers = np.arange(first, first + count)
    vectors = draw_signatures(first, count, kinds, plan)
    mosaics = vectors[:, : plan.mosaic].astype(np.float16)
    barcodes = np.stack([make_barcodes(one) for one in vectors])
    columns: dict[str, object] = {
        "slide_id": [name_slide(number) for number in numbers],
        "uri": [f"/slides/{name_slide(number)}.svs" for number in numbers],
        "file_fingerprint": [f"f1-{number:032x}" for number in numbers],
        **dict.fromkeys(("width", "height"), np.full(count, 80_000)),
        "spacing_um_per_px": np.full(count, 0.25),
        "tile_count": np.full(count, 3000),
        **dict.fromkeys(("created", "updated"), [NOW] * count),
        "patient_id": [f"p{number // 2}" for number in numbers],
        **{name: [f"{letter}{one}" for one in draw_groups(name, numbers)] for name, letter in NAMES.items()},
        "global_vector": list(vectors[:, plan.mosaic]),
        "mosaic": list(mosaics.reshape(count, -1)),
        "shares": list(np.full((count, plan.mosaic), 1 / plan.mosaic, np.float32)),
        "barcodes": list(barcodes.reshape(count, -1)),
        "tiles": [pack_some_tiles(plan)] * count,
    }
    if plan.words:
        words = rng.zipf(1.3, (count, plan.words)) % 20_000
        columns["report"] = [" ".join(f"word{one}" for one in line) for line in words]
        columns["report_tokens"] = [f" {' '.join(f'word{one}' for one in dict.fromkeys(line))} " for line in words]
        columns["report_facts"] = [[f"grade:{number % 4}", f"organ:{number % 10}"] for number in numbers]
    rows = {field.name: pa.array(columns.get(field.name, [None] * count), field.type) for field in schema}
    table = pa.table(rows, schema=schema)
    tokens = pa.array([make_record_tokens(record) for record in to_records(table)], pa.string())
    return table.set_column(schema.get_field_index("record_tokens"), schema.field("record_tokens"), tokens)


def draw_signatures(first: int, count: int, kinds: np.ndarray, plan: Plan) -> np.ndarray:
    """Unit vectors [count, mosaic + 1, D], the last of which is the slide's own."""
    rng = np.random.default_rng([7, first])
    vectors = kinds[np.arange(first, first + count) % KINDS] + SPREAD * rng.standard_normal(
        (count, plan.mosaic + 1, plan.dimension), np.float32
    )
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    return vectors


def draw_groups(name: str, numbers: np.ndarray) -> np.ndarray:
    """Which organ, site or stain slides are of: 10, 100 or 1,000 there are."""
    parts = {"organ": 10, "site": 100, "stain": 1000}[name]
    mixed = (numbers.astype(np.uint64) + np.uint64(parts)) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(33)) % np.uint64(parts)


def draw_vectors(plan: Plan) -> tuple[np.ndarray, dict[str | None, np.ndarray]]:
    """All global vectors, and by filter which slides it leaves."""
    rng = np.random.default_rng(0)
    kinds = rng.standard_normal((KINDS, plan.mosaic + 1, plan.dimension), np.float32)
    parts = [
        draw_signatures(first, min(BATCH, plan.slides - first), kinds, plan)[:, plan.mosaic]
        for first in range(0, plan.slides, BATCH)
    ]
    numbers = np.arange(plan.slides)
    groups = {f"{name} = '{letter}1'": draw_groups(name, numbers) == 1 for name, letter in NAMES.items()}
    return np.concatenate(parts), {None: np.ones(plan.slides, bool), **groups}


def pack_some_tiles(plan: Plan) -> bytes:
    tiles = tuple(
        MosaicTiles(np.full((8, 2), 512, np.int32), np.full(8, 0.125, np.float32)) for _ in range(plan.mosaic)
    )
    none, shares = np.zeros((plan.mosaic, 8), np.float16), np.zeros(plan.mosaic, np.float32)
    return pack_tiles(Signature(np.zeros(8, np.float32), none, shares, np.zeros((0, 1), np.uint64), tiles, 448))


def measure_store(
    view: Store,
    vectors: np.ndarray,
    groups: dict[str | None, np.ndarray],
    queries: np.ndarray,
    tell: Callable[..., None],
) -> None:
    """What the engine finds by itself: the nearest thousand by the global vector, of which the first ten are judged."""
    for where, name in FILTERS.items():
        condition = parse_filter(where, view.schema.names) if where else None
        places = np.flatnonzero(groups[where])
        times, recalls = [], []
        view.nearest(vectors[queries[0]], CANDIDATES, condition, "global_vector")
        for query in queries:
            begun = time.perf_counter()
            found = view.nearest(vectors[query], CANDIDATES, condition, "global_vector")
            times.append(time.perf_counter() - begun)
            cosines = vectors[places] @ vectors[query]
            best = {name_slide(places[one]) for one in np.argsort(-cosines, kind="stable")[:DEPTH]}
            recalls.append(len(best & {one.slide_id for one in found[:DEPTH]}) / max(1, len(best)))
        tell("nearest 1,000 in the engine", name, times, float(np.mean(recalls)), f"{len(places)} slides")
    if view.capabilities.full_text:
        times = []
        for query in queries:
            tokens = {f"word{one}": 1.0 for one in np.random.default_rng(query).zipf(1.3, 3) % 20_000}
            begun = time.perf_counter()
            view.text(tokens, CANDIDATES, None)
            times.append(time.perf_counter() - begun)
        tell("text, three words", "100 %", times, None)


def measure_searches(archive: Archive, queries: np.ndarray, tell: Callable[..., None]) -> None:
    """Whole searches, as users have them: candidates, ranking, records."""

    def find(number: int, where: str | None, exact: bool, count: int | None = None) -> tuple[float, list[str]]:
        begun = time.perf_counter()
        options = SearchOptions(k=DEPTH, where=where, exact=exact, candidates=count)
        found = [one.slide_id for one in search(archive, ArchivedSlide(name_slide(number)), options)]
        return time.perf_counter() - begun, found

    tell("first search", "100 %", [find(queries[0], None, False)[0]], None)
    tell("first exact search", "100 %", [find(queries[0], None, True)[0]], None)
    for where, name in FILTERS.items():
        find(queries[0], where, False)
        fast = [find(number, where, False) for number in queries]
        exact = [find(number, where, True) for number in queries[:QUERIES_OF_EXACT]]
        shares = [len(set(a) & set(b)) / len(b) for (_, a), (_, b) in zip(fast, exact, strict=False) if b]
        recall = float(np.mean(shares)) if shares else None
        tell("search", name, [seconds for seconds, _ in fast], recall, f"{resident_gb():.2f} GB")
        tell("exact search", name, [seconds for seconds, _ in exact], None)
    exact = [find(number, None, True)[1] for number in queries]
    for count in DEPTHS:
        fast = [find(number, None, False, count) for number in queries]
        shares = [len(set(a) & set(b)) / len(b) for (_, a), b in zip(fast, exact, strict=True)]
        tell(f"search by {count} candidates", "100 %", [seconds for seconds, _ in fast], float(np.mean(shares)))


def resident_gb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 2**20


def name_slide(number: int) -> str:
    return f"s{number:07d}"


if __name__ == "__main__":
    main()
