"""How many real reports a second an archive takes in, from identifiers to rows.

DATA/reports holds tcga_reports.jsonl.gz; only reports of the development part (patients whose SHA-256 begins with an
even byte) are read. Each --src is a source tree, optionally with a runtime ("src", "src:onnx", "src:openvino"); each
gets a process, and they take turns batch by batch, so that other work on the machine meets all alike. Run:
    python benchmarks/report_indexing.py DATA --src BEFORE/src --src src --src src:onnx [--batches 6] [--size 32]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from real_reports import is_held_out, read_reports

DIMENSION = 32
PARTS = ("identifiers", "words and facts alone", "words, facts and vectors", "rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--src", action="append", default=[])
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--worker", action="store_true")
    given = parser.parse_args()
    texts = draw(given.data, (given.batches + 1) * given.size)
    batches = [texts[start : start + given.size] for start in range(0, len(texts), given.size)]
    if given.worker:
        work(batches)
        return
    print(
        f"{given.batches} batches of {given.size} reports, {np.mean([len(text) for text in texts]):.0f} characters each"
    )
    workers = [Worker(source, given) for source in given.src]
    for number in range(len(batches)):
        for worker in workers:
            worker.run(number)
    show(workers, given.size)


def draw(data: Path, count: int) -> list[str]:
    """Reports of the development part, drawn at random."""
    texts = sorted({row["text"] for row in read_reports(data) if not is_held_out(row["patient_id"])})
    return random.Random(0).sample(texts, count)


class Worker:
    """A process that indexes batches with one source tree when told to."""

    def __init__(self, source: str, given: argparse.Namespace) -> None:
        folder, _, runtime = source.partition(":")
        self.name = source
        self.rows: list[dict[str, Any]] = []
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(folder).resolve()), *_extra_paths()])}
        environment["HISTOSEEK_RUNTIME"] = runtime or "auto"
        sizes = ["--batches", str(given.batches), "--size", str(given.size)]
        command = [sys.executable, __file__, str(given.data), "--worker", *sizes]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, number: int) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        self.rows.append(json.loads(self._process.stdout.readline()))


def _extra_paths() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep)[1:] if path]


def work(batches: Sequence[Sequence[str]]) -> None:
    """Index the batches whose numbers come in, and give back how long each part took."""
    from histoseek.api import Archive
    from histoseek.archive.space.centre import BagMean
    from histoseek.encoders.recipe import Recipe

    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.create(Path(folder) / "archive", Recipe(encoder="features:simulated"))
        archive.settle_space([BagMean(np.zeros(DIMENSION, np.float32), "features:simulated")])
        for line in sys.stdin:
            print(json.dumps(index(archive, int(line), batches[int(line)])), flush=True)


def index(archive: Any, number: int, texts: Sequence[str]) -> dict[str, Any]:
    """Take in one batch; how long each part took."""
    from histoseek.archive.report_index import read_report
    from histoseek.reports.privacy.deidentify import deidentify

    timings: dict[str, Any] = {}
    cpu, wall = time.process_time(), time.perf_counter()
    clean = timed(timings, PARTS[0], lambda: [deidentify(text).text for text in texts])
    slides = [make_slide(f"{number}-{place}", text) for place, text in enumerate(clean)]
    done = timed(timings, PARTS[2], lambda: archive.complete(slides))
    timed(timings, PARTS[3], lambda: archive.store.upsert(done))
    timings["wall"], timings["cpu"] = time.perf_counter() - wall, time.process_time() - cpu
    clear_caches()
    timed(timings, PARTS[1], lambda: [read_report(text) for text in clean])
    timings["engine"] = getattr(archive.language.encoder, "engine", "onnxruntime float32")
    return timings


def clear_caches() -> None:
    """Let all functions that remember what they read forget it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("histoseek.reports") or name.endswith("report_index"):
            for value in vars(module).values():
                if hasattr(value, "cache_parameters") and (value.cache_parameters()["maxsize"] or 0) > 1:
                    value.cache_clear()


def timed(timings: dict[str, float], name: str, call: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = call()
    timings[name] = time.perf_counter() - started
    return result


def make_slide(slide_id: str, report: str) -> Any:
    from datetime import UTC, datetime

    from histoseek.archive.schema import SlideRecord, StoredSlide
    from histoseek.mosaics.barcodes import count_barcode_words
    from histoseek.mosaics.signature import MosaicTiles, Signature

    now = datetime.now(UTC)
    vector = np.full(DIMENSION, DIMENSION**-0.5, np.float32)
    signature = Signature(
        global_vector=vector,
        mosaic=vector[None].astype(np.float16),
        shares=np.ones(1, np.float32),
        barcodes=np.zeros((2, count_barcode_words(DIMENSION)), np.uint64),
        mosaic_tiles=(MosaicTiles(np.zeros((1, 2), np.int32), np.ones(1, np.float32)),),
        tile_size_level0=224,
    )
    return StoredSlide(SlideRecord(slide_id, slide_id, "", 1, 1, 0.5, 1, now, now, report=report), signature)


def show(workers: Sequence[Worker], size: int) -> None:
    """One line for each tree; the first batch, which loads models, is not counted. Ratios are to the first tree."""
    print(f"| tree | engine | reports a second | {' ms | '.join(PARTS)} ms | CPU ms | times as many as the first |")
    print("| --- " * (len(PARTS) + 5) + "|")
    first = np.array([row["wall"] for row in workers[0].rows[1:]])
    for worker in workers:
        rows = worker.rows[1:]
        walls = np.array([row["wall"] for row in rows])
        parts = [f"{1000 * np.mean([row[part] for row in rows]) / size:.0f}" for part in (*PARTS, "cpu")]
        draws = np.random.default_rng(0).integers(0, len(walls), (2000, len(walls)))
        low, high = np.percentile(first[draws].sum(1) / walls[draws].sum(1), [2.5, 97.5])
        ratio = f"{first.sum() / walls.sum():.2f} ({low:.2f} to {high:.2f})"
        cells = [Path(worker.name).name, rows[0]["engine"], f"{size * len(walls) / walls.sum():.2f}", *parts, ratio]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
