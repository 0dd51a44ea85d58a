"""Whole text searches among long reports, from the words to ten results with their phrases, every query asked once.

Reports are made of sentences of real ones (DATA/reports/tcga_reports.jsonl.gz, patients whose SHA-256 begins with an
even byte), 2 to 12 kB, each mostly from reports of one cohort; their vectors are directions around one of each cohort.
Slides have the least signatures there are. Archives are made in FOLDER once and kept there. Run:
    python benchmarks/search_reports.py DATA FOLDER [--slides 10000 100000] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from real_reports import is_held_out, read_reports
from report_indexing import DIMENSION, make_slide

from histoseek.api import Archive
from histoseek.archive.report_index import MOST_WINDOWS, ReportIndex, find_places, index_report, pack_places
from histoseek.archive.schema import LanguageVectors, StoredSlide
from histoseek.archive.space.centre import BagMean
from histoseek.encoders.recipe import Recipe
from histoseek.reports.language.sentences import split_sentences
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedReport, Query, ReportText, TextQuery
from histoseek.search.search import search
from search import BATCH, DEPTH, percentiles, resident_gb, slide_name

SOURCES = 120
WARM = 5
FIELDS = (
    "organ:breast grade:3", "diagnosis:adenocarcinoma -necrosis", '"lymph nodes" carcinoma', "organ:kidney",
    "n:1 organ:lung", '"margins are" free', "finding:necrosis", "grade:2 carcinoma", "-carcinoma lymph node",
    "organ:stomach t:3", "pt:2", "margin:negative prostate", "differentiation:poor", '"clear cell" kidney',
    "er:positive breast", "diagnosis:glioblastoma", "absent:necrosis", "laterality:left breast", "m:0 colon",
    "t:1 lung",
)  # fmt: skip


@dataclass
class Part:
    """A sentence with what is kept of it."""

    text: str
    index: ReportIndex

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        tokens = self.index.tokens
        return find_places(tokens, self.index.places, frozenset(tokens.split())) or []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    reports = draw_reports(given.data)
    print("| reports | asked with | p50 / p95, ms | least, ms | resident GB |")
    print("| --- " * 5 + "|")
    for slides in given.slides:
        archive = fill(given.folder / f"long-reports-{slides}", slides, reports)
        for kind, queries in make_queries(reports, slides, given.queries).items():
            profile = cProfile.Profile() if given.profile else None
            times = ask(archive, queries, profile)
            low, high = percentiles(times)
            least = min(seconds for seconds, _ in times) * 1000
            print(f"| {slides:,} | {kind} | {low:.0f} / {high:.0f} | {least:.0f} | {resident_gb():.2f} |", flush=True)
            if profile:
                pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


def draw_reports(data: Path) -> dict[str, list[str]]:
    """Texts of real reports by cohort."""
    rows = [row for row in read_reports(data) if not is_held_out(row["patient_id"])]
    texts: dict[str, list[str]] = defaultdict(list)
    for row in random.Random(0).sample(rows, SOURCES):
        texts[row["cohort"]].append(row["text"])
    return texts


def make_queries(reports: dict[str, list[str]], slides: int, count: int) -> dict[str, list[Query]]:
    rng = random.Random(1)
    sentences = [sentence.text for texts in reports.values() for text in texts for sentence in split_sentences(text)]
    short = rng.sample(sorted({text for text in sentences if 30 < len(text) < 140}), count + WARM)
    words = [" ".join(text.split()[:4]) for text in rng.sample(short, count + WARM)]
    whole = [rng.choice(texts) for texts in reports.values() for _ in range(-(-(count + WARM) // len(reports)))]
    return {
        "sentences": [TextQuery(clean(text)) for text in short],
        "three or four words": [TextQuery(clean(text)) for text in words],
        "fields, phrases, words left out": [TextQuery(text) for text in FIELDS],
        "reports of the archive": [ArchivedReport(slide_name(rng.randrange(slides))) for _ in range(count // 2 + WARM)],
        "other reports": [ReportText(text) for text in whole[: count // 2 + WARM]],
    }


def clean(text: str) -> str:
    """Without what the language of queries has a meaning for."""
    return " ".join("".join(letter if letter.isalnum() or letter in ".,/" else " " for letter in text).split()) or "x"


def ask(archive: Archive, queries: Sequence[Query], profile: cProfile.Profile | None) -> list[tuple[float, list[str]]]:
    """Each query once; the first few, which load what is loaded once, are not counted."""
    runs = []
    for number, query in enumerate(queries):
        if profile and number == WARM:
            profile.enable()
        start = time.perf_counter()
        results = search(archive, query, SearchOptions(k=DEPTH))
        runs.append((time.perf_counter() - start, [result.slide_id for result in results]))
    if profile:
        profile.disable()
    return runs[WARM:]


def fill(path: Path, slides: int, reports: dict[str, list[str]]) -> Archive:
    if path.exists():
        return Archive.open(path)
    rng = np.random.default_rng(0)
    archive = Archive.create(path, Recipe(encoder="features:simulated"))
    archive.settle_space([BagMean(np.zeros(DIMENSION, np.float32), "features:simulated")])
    archive.complete([make_slide("first", "tumor")])
    pools = read_pools(tuple(map(tuple, reports.values())))
    width = archive.require_space().text_dimension
    centres = rng.standard_normal((len(pools), width), np.float32)
    for start in range(0, slides, BATCH):
        batch = [make_slide(slide_name(number), "") for number in range(start, min(slides, start + BATCH))]
        archive.store.upsert([make_report(slide, pools, centres, rng) for slide in batch])
    archive.store.optimize()
    return Archive.open(path)


@lru_cache(maxsize=1)
def read_pools(cohorts: tuple[tuple[str, ...], ...]) -> list[list[Part]]:
    return [read_parts(texts) for texts in cohorts]


def read_parts(texts: Sequence[str]) -> list[Part]:
    sentences = dict.fromkeys(sentence.text for text in texts for sentence in split_sentences(text))
    return [Part(sentence, index_report(sentence)) for sentence in sentences if any(map(str.isalpha, sentence))]


def make_report(
    slide: StoredSlide, pools: Sequence[Sequence[Part]], centres: np.ndarray, rng: np.random.Generator
) -> StoredSlide:
    kind = int(rng.integers(len(pools)))
    length, parts = int(rng.uniform(2000, 11_000)), []
    while length > 0:
        pool = pools[kind if rng.random() < 0.9 else int(rng.integers(len(pools)))]
        parts.append(pool[int(rng.integers(len(pool)))])
        length -= len(parts[-1].text)
    places, start = [], 0
    for part in parts:
        places += [(start + first, start + last) for first, last in part.places]
        start += len(part.text) + 1
    noise = rng.standard_normal((MOST_WINDOWS + 1, centres.shape[1]), np.float32)
    vectors = centres[kind] + 1.5 * noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    language = LanguageVectors(
        report_vector=vectors[0],
        report_tokens=f" {' '.join(part.index.tokens.strip() for part in parts)} ",
        report_facts=tuple(sorted({fact for part in parts for fact in part.index.facts})),
        report_places=pack_places(places),
        report_windows=vectors[1:].astype(np.float16),
    )
    return replace_report(slide, "\n".join(part.text for part in parts), language)


def replace_report(slide: StoredSlide, text: str, language: LanguageVectors) -> StoredSlide:
    return replace(slide, record=replace(slide.record, report=text), language=language)


if __name__ == "__main__":
    main()
