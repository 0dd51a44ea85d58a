"""Whole text searches in a large archive, from the words to ten results with their phrases, one after the other.

Slides are those of benchmarks/search.py, each with a report of REG 2025 (DATA/reports/reg2025_reports.json), drawn with
replacement; its texts are read once. Archives are made in FOLDER once and kept there. Run:
    python benchmarks/search_words.py DATA FOLDER [--slides 10000 100000]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from histoseek.api import Archive
from histoseek.archive.schema import LanguageVectors, StoredSlide
from histoseek.archive.space.centre import BagMean
from histoseek.encoders.recipe import Recipe
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Query, ReportText, TextQuery
from histoseek.search.search import search
from search import BATCH, DEPTH, DIMENSION, KINDS, MOSAIC, percentiles, resident_gb, simulated

QUERIES = 25
FILTERS = {None: "none", "organ = 'o1'": "10 %"}
SENTENCES = (
    "invasive ductal carcinoma with high grade carcinoma in situ",
    "prostate cancer Gleason 4+3",
    "no evidence of malignancy",
    "chronic active gastritis with intestinal metaplasia",
    "squamous cell carcinoma of the lung, poorly differentiated",
)
SPECIAL = ('"carcinoma in situ"', "organ:breast grade:3", "carcinoma -necrosis")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, nargs="*", default=[10_000, 100_000])
    given = parser.parse_args()
    entries = json.loads((given.data / "reports" / "reg2025_reports.json").read_text())
    texts = list(dict.fromkeys(" ".join(entry["report"].split()) for entry in entries))
    asked: dict[str, list[Query]] = {
        "sentences": [TextQuery(text) for text in SENTENCES],
        "phrases, fields, words left out": [TextQuery(text) for text in SPECIAL],
        "reports": [ReportText(text) for text in texts[::97][:5]],
    }
    print("| slides | query | filter | p50 / p95, ms | resident GB |")
    print("| --- " * 5 + "|")
    for slides in given.slides:
        archive = filled(given.folder / f"simulated-reports-{slides}-{DIMENSION}", slides, texts)
        for where, name in FILTERS.items():
            for kind, queries in asked.items():
                low, high = percentiles(timed(archive, queries, SearchOptions(k=DEPTH, where=where)))
                print(f"| {slides:,} | {kind} | {name} | {low:.0f} / {high:.0f} | {resident_gb():.2f} |", flush=True)


def timed(archive: Archive, queries: Sequence[Query], options: SearchOptions) -> list[tuple[float, list[str]]]:
    """Each query in turn until there are enough runs; the first round is not counted."""
    runs = []
    for number in range(len(queries) + QUERIES):
        start = time.perf_counter()
        found = search(archive, queries[number % len(queries)], options)
        runs.append((time.perf_counter() - start, [one.slide_id for one in found]))
    return runs[len(queries) :]


def filled(path: Path, slides: int, texts: Sequence[str]) -> Archive:
    if path.exists():
        return Archive.open(path)
    rng = np.random.default_rng(0)
    archive = Archive.create(path, Recipe(encoder="features:simulated"))
    archive.settle_space([BagMean(np.zeros(DIMENSION, np.float32), "features:simulated")])
    kinds = rng.standard_normal((KINDS, MOSAIC + 1, DIMENSION), np.float32)
    first = simulated(0, kinds, rng)
    read = archive.complete([with_report(first, text, LanguageVectors()) for text in texts])
    known = {str(one.record.report): one.language for one in read}
    for start in range(0, slides, BATCH):
        part = [simulated(number, kinds, rng) for number in range(start, min(slides, start + BATCH))]
        drawn = [texts[i] for i in rng.integers(0, len(texts), len(part))]
        archive.store.upsert([with_report(one, text, known[text]) for one, text in zip(part, drawn, strict=True)])
    archive.store.optimize()
    return Archive.open(path)


def with_report(slide: StoredSlide, text: str, language: LanguageVectors) -> StoredSlide:
    return replace(slide, record=replace(slide.record, report=text), language=language)


if __name__ == "__main__":
    main()
