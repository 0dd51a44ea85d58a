"""Search through reports on five sources: the default beside raw BM25, the text encoder alone and both fused equally.

DATA/reports holds reg2025_reports.json, patchgastric_captions.csv, wsibench_report_test.json, tcga_reports.jsonl.gz and
pathgen_sample_captions.json. REG 2025 is asked in other words; PatchGastric, WSI-Bench and TCGA with a text for others
of its class, never its own patient's; PathGen captions for their patient's report, and for any of their organ.
Patients (of REG, classes) are parted into development and held-out ones by a hash; intervals and tests are over them.
The default is the library's own search in a store of the reports; vectors are computed once and kept in --cache. Run:
    python benchmarks/report_sources.py DATA --cache FOLDER [--sources captions ...] [--reports 500] [--queries 300]
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from real_reports import is_held_out, read_reports

from histoseek.api import Archive
from histoseek.archive.filters.expression import all_of, not_true, one_of
from histoseek.archive.schema import LanguageVectors, StoredSlide
from histoseek.archive.space.centre import BagMean
from histoseek.archive.stores.lance.engine import lancedb
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.text.base import Reading
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.evaluation.significance import bootstrap
from histoseek.search.encode.text import ParsedText
from histoseek.search.options import SearchOptions
from histoseek.search.retrieve.chance import Chance
from histoseek.search.retrieve.channels import Channel, Retriever
from histoseek.search.retrieve.measure_chance import get_chance
from histoseek.search.retrieve.rank_fusion import Hit, reciprocal_rank_fusion
from histoseek.search.retrieve.score_fusion import fuse_scores
from histoseek.search.retrieve.text import open_channels
from reports import folded, reg_class, reg_query
from search import KINDS, MOSAIC, simulated

DEPTH = 10
CANDIDATES = 1000
FLIPS = 10_000
HEADINGS = (
    *("source", "patients (queries)", "system", "recall@1", "recall@5", "MAP@10"),
    *("default - it, recall@1", "default - it, MAP@10"),
)
DIMENSION = 64
Part = Literal["development", "held out"]
Ranking = Callable[["Asked"], list[str]]
_NAMES_DIAGNOSIS = re.compile(r"carcinoma|differentiated|tub\d|\bpor\d|\bsig\b|\bpap\b", re.IGNORECASE)

# What the histology beside a TCGA report is counted as: the first of a cohort that it names. Read by a language model
# from the same report, so a hint.
HISTOLOGIES = {
    "KIDNEY": ("chromophobe", "papillary", "clear cell", "conventional", "oncocytoma"),
    "BRAIN": ("oligoastrocytoma", "oligodendroglioma", "glioblastoma", "astrocytoma", "mixed"),
    "CRC": ("mucinous", "adenocarcinoma"),
    "HEADnNECK": ("squamous",),
    "LIVER": ("fibrolamellar", "cholangio", "hepatocellular"),
    "PROSTATE": ("adenocarcinoma",),
    "BLADDER": ("papillary", "urothelial", "transitional"),
    "OVARIAN": ("serous", "endometrioid", "clear cell", "mucinous"),
    "CERVIX": ("adenosquamous", "squamous", "mucinous", "endocervical", "adenocarcinoma"),
    "PANCREAS": ("neuroendocrine", "colloid", "mucinous", "ductal", "adenocarcinoma"),
}
SAME_HISTOLOGY = {"conventional": "clear cell", "transitional": "urothelial", "endocervical": "adenocarcinoma"}


@dataclass(frozen=True)
class Asked:
    """A query: its text, how it is typed in, the ids that are right, those that are its own, and whose it is."""

    text: str
    is_report: bool
    right: frozenset[str]
    own: frozenset[str]
    patient: str


@dataclass(frozen=True)
class Source:
    """Queries of one part of the patients, and the texts (by id) that they are asked of."""

    name: str
    part: Part
    texts: Mapping[str, str]
    queries: Sequence[Asked]


def part_of(patient: str) -> Part:
    return "held out" if is_held_out(patient) else "development"


class CachedEncoder:
    """The default text encoder; what it read once is kept in a file: a text's vector, then those of its passages."""

    def __init__(self, folder: Path) -> None:
        self._encoder = load_text_encoder("minilm")
        self.card = self._encoder.card
        self.weights_hash = self._encoder.weights_hash
        self.engine = self._encoder.engine
        self._path = folder / f"readings-{self.weights_hash[:12]}.npz"
        self._rows: dict[str, np.ndarray] = {}
        if self._path.exists():
            held = np.load(self._path)
            self._rows = dict(zip(held["keys"].tolist(), np.split(held["rows"], held["ends"][:-1]), strict=True))

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([reading.vector for reading in self.read([(text,) for text in texts])])

    def read(self, texts: Sequence[Sequence[str]]) -> list[Reading]:
        keys = [hashlib.sha1("\0".join(passages).encode()).hexdigest() for passages in texts]
        new = {key: passages for key, passages in zip(keys, texts, strict=True) if key not in self._rows}
        pending = list(new.items())
        for start in range(0, len(pending), 128):
            some = pending[start : start + 128]
            for (key, _), reading in zip(some, self._encoder.read([own for _, own in some]), strict=True):
                self._rows[key] = np.vstack([reading.vector[None], reading.passages])
            self._save()
        return [Reading(self._rows[key][0], self._rows[key][1:]) for key in keys]

    def _save(self) -> None:
        half = self._path.with_suffix(".half.npz")
        rows = list(self._rows.values())
        np.savez(
            half, keys=np.array(list(self._rows)), rows=np.vstack(rows), ends=np.cumsum([len(own) for own in rows])
        )
        half.replace(self._path)


class Corpus:
    """Texts in a store as an archive has them, and in a table of raw text."""

    def __init__(self, texts: Mapping[str, str], encoder: CachedEncoder, folder: Path) -> None:
        self.encoder = encoder
        self.archive = Archive.create(folder / "archive", Recipe(encoder="features:simulated"))
        self.archive.settle_space([BagMean(np.zeros(DIMENSION, np.float32), "features:simulated")])
        rng = np.random.default_rng(0)
        first = simulated(0, rng.standard_normal((KINDS, MOSAIC + 1, DIMENSION), np.float32), rng)
        self.archive.language.__dict__["encoder"] = encoder
        self.archive.complete([with_report(first, "warm", "ready")])
        self.archive.language.__dict__["encoder"] = encoder
        slides = [with_report(first, key, text) for key, text in texts.items()]
        self.archive.store.upsert(self.archive.language.complete(slides))
        self.archive.store.optimize()
        self.store = self.archive.store.snapshot()
        rows = [{"slide_id": key, "report": text} for key, text in texts.items()]
        self.raw = lancedb.connect(folder / "raw").create_table("reports", rows)
        self.raw.create_index("report", config=lancedb.index.FTS(with_position=True))

    @cached_property
    def retriever(self) -> Retriever:
        return Retriever(self.store, self.archive.language, None, CANDIDATES, self.chance)

    @cached_property
    def chance(self) -> Chance:
        return get_chance(self.archive, self.store)

    def by_words(self, asked: Asked) -> Channel:
        """The report's text in the engine's own analyser."""
        rows = self.raw.search(asked.text, query_type="fts", fts_columns="report").limit(CANDIDATES)
        rows = rows.select(["slide_id", "_score"]).to_arrow()
        pairs = sorted(
            zip(rows["slide_id"].to_pylist(), rows["_score"].to_pylist(), strict=True), key=lambda p: (-p[1], p[0])
        )
        return Channel("report words", tuple(key for key, _ in pairs), tuple(score for _, score in pairs))

    def by_vectors(self, asked: Asked) -> Channel:
        nothing = ParsedText(asked.text, {})
        return self.retriever.reports_by_text(nothing, self.encoder.encode([asked.text])[0])[0]

    def by_default(self, asked: Asked) -> list[Channel]:
        vector = self.encoder.encode([asked.text])[0]
        options = SearchOptions(to="reports")
        if asked.is_report:
            parsed = ParsedText.from_report(asked.text, True)
        else:
            parsed = ParsedText.from_query(self.store, asked.text, True)
        own = not_true(one_of("slide_id", sorted(asked.own))) if asked.own else None
        retriever = Retriever(self.store, self.archive.language, all_of(parsed.where, own), CANDIDATES, self.chance)
        return open_channels(retriever, parsed, vector, options)


def with_report(slide: StoredSlide, slide_id: str, report: str) -> StoredSlide:
    record = replace(slide.record, slide_id=slide_id, uri=f"/{slide_id}", patient_id=slide_id, report=report)
    return replace(slide, record=record, language=LanguageVectors())


def list_sources(data: Path, reports: int, queries: int) -> Iterator[Source]:
    for part in ("development", "held out"):
        yield ask_reg(data, part)
        yield ask_gastric(data, part)
        yield ask_wsibench(data, part)
        yield from ask_tcga(data, part, reports, queries)


def ask_reg(data: Path, part: Part) -> Source:
    rows = json.loads((data / "reg2025_reports.json").read_text())
    texts = {f"r{i}": text for i, text in enumerate(folded(row["report"] for row in rows))}
    classes = group({key: reg_class(text) for key, text in texts.items()})
    asked = [(reg_query(*known), known, ids) for known, ids in classes.items() if part_of("/".join(known)) == part]
    queries = [Asked(text, False, ids, frozenset(), "/".join(known)) for text, known, ids in asked if text]
    return Source("REG 2025, paraphrases", part, texts, queries)


def ask_gastric(data: Path, part: Part) -> Source:
    with (data / "patchgastric_captions.csv").open(newline="") as file:
        rows = [(" ".join(row["text"].split()), row["subtype"]) for row in csv.DictReader(file)]
    subtypes: dict[str, Counter[str]] = defaultdict(Counter)
    for text, subtype in rows:
        subtypes[text][subtype] += 1
    texts = {f"p{i}": text for i, text in enumerate(sorted(subtypes))}
    classes = {key: subtypes[text].most_common(1)[0][0] for key, text in texts.items()}
    queries = ask_for_others(texts, classes, dict(texts), part, hide_diagnosis)
    return Source("PatchGastric, without the diagnosis", part, texts, queries)


def hide_diagnosis(text: str) -> str:
    return " ".join(sentence for sentence in re.split(r"(?<=\.)\s+", text) if not _NAMES_DIAGNOSIS.search(sentence))


def ask_wsibench(data: Path, part: Part) -> Source:
    rows = json.loads((data / "wsibench_report_test.json").read_text())
    texts = {f"w{i}": row["conversations"][1]["value"] for i, row in enumerate(rows)}
    classes = {f"w{i}": row["image"].split("/")[0] for i, row in enumerate(rows)}
    patients = {f"w{i}": row["id"][:12] for i, row in enumerate(rows)}
    return Source("WSI-Bench, report to report", part, texts, ask_for_others(texts, classes, patients, part))


def ask_tcga(data: Path, part: Part, reports: int, queries: int) -> Iterator[Source]:
    """A text for others of its histology, and captions for the same texts."""
    rows, captions = read_tcga(data, part, reports), read_captions(data)
    texts = {f"t{i}": row["text"] for i, row in enumerate(rows)}
    patients = {f"t{i}": row["patient_id"] for i, row in enumerate(rows)}
    classes = {f"t{i}": name_histology(row["cohort"], row["histology"]) for i, row in enumerate(rows)}
    known = {key: name for key, name in classes.items() if name}
    yield Source("TCGA, report to report", part, texts, ask_for_others(texts, known, patients, part)[:queries])
    organs = group({f"t{i}": row["cohort"] for i, row in enumerate(rows)})
    reports_of = group(patients)
    cohorts = {row["patient_id"]: row["cohort"] for row in rows}
    asked = [(patient, random.Random(patient).choice(captions[patient])) for patient in reports_of][:queries]
    own = [Asked(text, False, reports_of[patient], frozenset(), patient) for patient, text in asked]
    yield Source("captions, own report", part, texts, own)
    organ = [Asked(text, False, organs[cohorts[patient]], frozenset(), patient) for patient, text in asked]
    yield Source("captions, own organ", part, texts, organ)


def read_tcga(data: Path, part: Part, reports: int) -> list[dict[str, str]]:
    """Some reports of patients that have captions as well."""
    captions = read_captions(data)
    rows = [row for row in read_reports(data.parent) if part_of(row["patient_id"]) == part]
    rows = [row for row in rows if row["patient_id"] in captions]
    return random.Random(0).sample(rows, min(reports, len(rows)))


def read_captions(data: Path) -> dict[str, list[str]]:
    """The captions of each patient's slides."""
    captions: dict[str, list[str]] = defaultdict(list)
    for row in json.loads((data / "pathgen_sample_captions.json").read_text()):
        captions[row["wsi_id"][:12]].append(row["caption"])
    return captions


def name_histology(cohort: str, histology: str) -> str | None:
    name = next((name for name in HISTOLOGIES[cohort] if name in histology.lower()), None)
    return f"{cohort} {SAME_HISTOLOGY.get(name, name)}" if name else None


def ask_for_others(
    texts: Mapping[str, str],
    classes: Mapping[str, str],
    patients: Mapping[str, str],
    part: Part,
    hide: Callable[[str], str] = str,
) -> list[Asked]:
    """Each text of the part for the others of its class, those of its own patient left out."""
    same_class, same_patient = group(classes), group(patients)
    asked = [
        Asked(
            hide(texts[key]),
            True,
            same_class[name] - same_patient[patients[key]],
            same_patient[patients[key]],
            patients[key],
        )
        for key, name in classes.items()
        if part_of(patients[key]) == part
    ]
    return [query for query in asked if query.text and query.right]


def group(values: Mapping[str, Any]) -> dict[Any, frozenset[str]]:
    """The keys of each value."""
    groups: dict[Any, set[str]] = defaultdict(set)
    for key, value in values.items():
        groups[value].add(key)
    return {value: frozenset(keys) for value, keys in groups.items()}


def list_systems(corpus: Corpus) -> dict[str, Ranking]:
    def equally(asked: Asked) -> list[Channel]:
        return [corpus.by_words(asked), corpus.by_vectors(asked)]

    return {
        "raw BM25": lambda asked: rank(asked, reciprocal_rank_fusion([corpus.by_words(asked)])),
        "MiniLM": lambda asked: rank(asked, reciprocal_rank_fusion([corpus.by_vectors(asked)])),
        "both, equally": lambda asked: rank(asked, reciprocal_rank_fusion(equally(asked))),
        "default": lambda asked: rank(asked, fuse_scores(corpus.by_default(asked))),
    }


def rank(asked: Asked, hits: Sequence[Hit]) -> list[str]:
    return [hit.slide_id for hit in hits if hit.slide_id not in asked.own][:DEPTH]


def score(ids: Sequence[str], right: Collection[str]) -> tuple[float, float, float]:
    """Whether the first is right, whether any of five is, and average precision at 10."""
    is_right = np.array([key in right for key in ids] + [False] * (DEPTH - len(ids)))
    precisions = np.cumsum(is_right) / np.arange(1, DEPTH + 1)
    return float(is_right[0]), float(is_right[:5].any()), float((precisions * is_right).sum() / min(DEPTH, len(right)))


def test_flips(differences: np.ndarray, patients: np.ndarray) -> float:
    """Two-sided p of a mean difference of 0, by flipping the signs of whole patients."""
    codes, rows = np.unique(patients, return_inverse=True)
    sums = np.bincount(rows, differences, len(codes))
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (FLIPS, len(codes)))
    return float((1 + (np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).sum()) / (1 + FLIPS))


def print_source(source: Source, corpus: Corpus) -> None:
    systems = {
        name: np.array([score(search(asked), asked.right) for asked in source.queries])
        for name, search in list_systems(corpus).items()
    }
    patients = np.unique([asked.patient for asked in source.queries], return_inverse=True)[1]
    for name, scores in systems.items():
        low, high = bootstrap(scores, patients, 0)
        cells = [f"{m:.3f} ({a:.3f} to {b:.3f})" for m, a, b in zip(scores.mean(0), low, high, strict=True)]
        cells += ["", ""] if name == "default" else compare_scores(systems["default"] - scores, patients)
        print(f"| {source.name} | {source.part} ({len(scores)}) | {name} | {' | '.join(cells)} |", flush=True)


def compare_scores(differences: np.ndarray, patients: np.ndarray) -> list[str]:
    """How much better the default is, of the first result and of average precision."""
    low, high = bootstrap(differences, patients, 0, least=-1)
    columns = [(low[i], high[i], differences[:, i]) for i in (0, 2)]
    return [f"{own.mean():+.3f} ({a:+.3f} to {b:+.3f}), p {test_flips(own, patients):.3f}" for a, b, own in columns]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--sources", nargs="*", default=[])
    parser.add_argument("--reports", type=int, default=500)
    parser.add_argument("--queries", type=int, default=300)
    given = parser.parse_args()
    encoder = CachedEncoder(given.cache)
    print(f"| {' | '.join(HEADINGS)} |\n{'| --- ' * len(HEADINGS)}|")
    corpora: dict[tuple[str, ...], Corpus] = {}
    with tempfile.TemporaryDirectory() as folder:
        for source in list_sources(given.data / "reports", given.reports, given.queries):
            if given.sources and not any(name in source.name for name in given.sources):
                continue
            key = tuple(source.texts.values())
            if key not in corpora:
                corpora[key] = Corpus(source.texts, encoder, Path(folder) / str(len(corpora)))
            encoder.encode([asked.text for asked in source.queries])
            print_source(source, corpora[key])


if __name__ == "__main__":
    main()
