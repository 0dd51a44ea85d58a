"""Does adapting MiniLM to report texts help, on texts held out, on other data sets, and what does it cost?

Held-out texts share neither a case nor a text with those trained on. Half of the vocabulary's concepts (by a hash of
their id) have no synonyms while training, so that synonyms are measured seen and unseen. Every figure is beside that
of the plain encoder, with the difference and its 95 % bootstrap interval over queries. Run:
    python benchmarks/text_encoder.py train DATA --on reg [--on patchgastric] --out FOLDER
    python benchmarks/text_encoder.py measure DATA --encoder NAME=SPEC [...] --out FILE.json
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.text.base import TextEncoder
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.progress import show_progress
from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.files.document import Report, ReportPart, ReportSource
from histoseek.reports.language.negation import Status
from histoseek.training.text.adapt import adapt
from histoseek.training.text.corpus import build_corpus, split_corpus
from histoseek.training.text.facts import text_key
from histoseek.training.text.folder import save_adaptation
from histoseek.training.text.settings import AdaptSettings

HELD_SHARE, HELD_SEED, RESAMPLES = 0.4, 11, 2000
SETS = ("reg", "patchgastric", "wsibench")
MODULES = ("os", "shutil", "statistics", "random", "json", "csv", "datetime", "math", "collections", "itertools",
           "textwrap", "socket", "subprocess", "tarfile", "zipfile", "logging", "argparse", "inspect", "asyncio",
           "unittest", "decimal", "calendar", "ipaddress", "sqlite3", "threading", "pathlib", "difflib", "heapq",
           "email.message", "http.client", "smtplib", "configparser", "turtle", "tkinter")  # fmt: skip
Floats = NDArray[np.float64]
Scores = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Item:
    """A report: its case, its text, and the label of its diagnosis from outside the vocabulary."""

    case: str
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over queries beside that of the plain encoder, with 95 % intervals of both it and the difference."""

    encoder: str
    task: str
    queries: int
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


def items_of(data: Path, name: str) -> list[Item]:
    folder = data / "reports"
    if name == "reg":
        rows = json.loads((folder / "reg2025_reports.json").read_text())
        return [Item(row["id"][:12], row["report"], reg_label(row["report"])) for row in rows]
    if name == "patchgastric":
        with (folder / "patchgastric_captions.csv").open() as file:
            return [Item(row["id"], row["text"], row["subtype"]) for row in csv.DictReader(file)]
    rows = json.loads((folder / "wsibench_report_test.json").read_text())
    return [Item(row["id"][:12], row["conversations"][1]["value"], row["image"].split("/")[0]) for row in rows]


def reg_label(report: str) -> str:
    """Organ, first diagnosis as far as a comma or bracket, and its grade, by rules for this data set alone."""
    specimen, *rest = re.split(r"[;\n]\s*", report.strip(), maxsplit=1)
    first = re.sub(r"^1\.\s*", "", (rest or [specimen])[0]).splitlines()[0]
    grade = re.search(r"grade (?:group )?(?:III|II|I|\d)\b", first)
    name = re.split(r"[,(]", first)[0].strip().lower()
    return f"{specimen.split(',')[0].strip().lower()} | {name} | {grade.group() if grade else ''}"


def reports_of(items: Sequence[Item]) -> list[Report]:
    source = ReportSource(Path("benchmark"))
    parts = ((ReportPart("report", item.text),) for item in items)
    return [
        Report(str(place), (), (), item.case, None, part, source)
        for place, (item, part) in enumerate(zip(items, parts, strict=True))
    ]


def train_and_held(items: Sequence[Item], vocabulary: Vocabulary) -> tuple[list[Item], list[Item]]:
    """Items to train on, and one item a text to test on; the two share neither a case nor a text."""
    split = split_corpus(build_corpus(reports_of(items), vocabulary), HELD_SHARE, HELD_SEED)
    held = {text.whole.key for text in split.validation}
    by_key = {text_key(item.text): item for item in items}
    return [item for item in items if text_key(item.text) not in held], [by_key[key] for key in sorted(held)]


def is_hidden(concept_id: str) -> bool:
    """Whether training is not told how else this concept is written."""
    return hashlib.sha256(concept_id.encode()).digest()[0] % 2 == 0


def half_vocabulary(whole: Vocabulary) -> Vocabulary:
    concepts = {
        one.id: replace(one, synonyms=(), abbreviations=()) if is_hidden(one.id) else one
        for one in whole.concepts.values()
    }
    return Vocabulary(concepts, whole.words, whole.version)


def retrieval(vectors: Floats, labels: Sequence[str]) -> Scores:
    """Each text that shares its label with another one is a query among all others."""
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    asked = np.flatnonzero(np.bincount(codes)[codes] > 1)
    return ranked_scores(similarity[asked], codes[asked][:, None] == codes, np.bincount(codes)[codes][asked] - 1)


def ranked_scores(similarity: Floats, right: NDArray[np.bool_], relevant: NDArray[np.int64]) -> Scores:
    """Recall at 1 and 5, and average precision at 10 (divided by what is reachable), by query."""
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :10]
    hits = np.take_along_axis(right, order, 1).astype(np.float64)
    precision = np.cumsum(hits, 1) / np.arange(1, hits.shape[1] + 1)
    reachable = np.minimum(relevant, 10)
    return {
        "recall@1": hits[:, 0],
        "recall@5": hits[:, :5].max(1),
        "MAP@10": (precision * hits).sum(1) / reachable,
    }


def query_tasks(held: Sequence[Item], vocabulary: Vocabulary) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Task, query and right reports: a way to write a concept that stands in none of the reports it is right for."""
    named = [
        {one.concept_id for one in find_terms(item.text, vocabulary) if one.status == Status.AFFIRMED} for item in held
    ]
    for concept_id in sorted(set().union(*named)):
        if vocabulary[concept_id].kind not in ("diagnosis", "finding"):
            continue
        right = np.array([concept_id in found for found in named])
        texts = [item.text.lower() for item, is_right in zip(held, right, strict=True) if is_right]
        for surface in vocabulary.list_surfaces(concept_id):
            if not any(surface.text.lower() in text for text in texts) and right.mean() <= 0.5:
                yield f"synonym query, {'unseen' if is_hidden(concept_id) else 'seen'}", surface.text, right


def query_scores(encoder: TextEncoder, held: Sequence[Item], vectors: Floats, vocabulary: Vocabulary) -> Scores:
    found = list(query_tasks(held, vocabulary))
    if not found:
        return {}
    names, queries, rights = zip(*found, strict=True)
    right = np.stack(rights)
    scores = ranked_scores(encode(encoder, queries) @ vectors.T, right, right.sum(1))
    tasks = np.array(names)
    return {
        f"{task}: {score}": values[tasks == task] for task in sorted(set(names)) for score, values in scores.items()
    }


def triple_scores(encoder: TextEncoder, vocabulary: Vocabulary) -> Scores:
    """1 where a term is nearer to what agrees with it than to what does not."""
    with Path(__file__).with_name("text_triples.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    parts = [encode(encoder, [row[name] for row in rows]) for name in ("term", "agreeing", "contrary")]
    right = ((parts[0] * parts[1]).sum(1) > (parts[0] * parts[2]).sum(1)).astype(np.float64)
    known = half_vocabulary(vocabulary)
    kinds = np.array([f"{row['kind']} triples{seen(row, known)}" for row in rows])
    return {kind: right[kinds == kind] for kind in sorted(set(kinds))}


def seen(row: dict[str, str], known: Vocabulary) -> str:
    if row["kind"] != "synonym":
        return ""
    named = [[one.concept_id for one in find_terms(row[name], known)] for name in ("term", "agreeing")]
    return ", seen" if named[0] and named[0] == named[1] else ", unseen"


def general_scores(encoder: TextEncoder) -> Scores:
    """General English: which of all first sentences in Python's documentation belongs to a function's name?"""
    pairs = sorted(set(documented()))
    names, sentences = (encode(encoder, [pair[side] for pair in pairs]) for side in (0, 1))
    right = np.eye(len(pairs), dtype=np.bool_)
    scores = ranked_scores(names @ sentences.T, right, np.ones(len(pairs), np.int64))
    return {f"general English: {name}": scores[name] for name in ("recall@1", "recall@5")}


def documented() -> Iterator[tuple[str, str]]:
    taken: set[str] = set()
    for module_name in MODULES:
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            continue
        for name, value in sorted(vars(module).items()):
            summary = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ") if callable(value) else ""
            words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).strip().lower()
            long_enough = len(summary.split()) >= 5 and " " in words and not name.startswith("_")
            if long_enough and summary not in taken and words not in taken:
                taken |= {summary, words}
                yield words, summary[:300]


def all_scores(encoder: TextEncoder, held: dict[str, list[Item]], vocabulary: Vocabulary) -> Scores:
    scores: Scores = {}
    for name, items in held.items():
        vectors = encode(encoder, [item.text for item in items])
        found = {f"same diagnosis: {k}": v for k, v in retrieval(vectors, [item.label for item in items]).items()}
        found |= query_scores(encoder, items, vectors, vocabulary)
        scores |= {f"{name}, {task}": values for task, values in found.items()}
    return scores | triple_scores(encoder, vocabulary) | general_scores(encoder)


def encode(encoder: TextEncoder, texts: Sequence[str]) -> Floats:
    return encoder.encode(texts).astype(np.float64)


def figures(name: str, scores: Scores, plain: Scores) -> Iterator[Figure]:
    for task, values in scores.items():
        count = len(values)
        draws = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
        gains = values - plain[task]
        ends = [np.percentile(one[draws].mean(1), (2.5, 97.5)) for one in (values, gains)]
        yield Figure(name, task, count, values.mean(), *ends[0], gains.mean(), *ends[1])


def measure(data: Path, specs: Sequence[str], out: Path) -> None:
    vocabulary = load_vocabulary()
    items = {name: items_of(data, name) for name in SETS}
    held = {name: train_and_held(found, vocabulary)[1] for name, found in items.items()}
    found: list[Figure] = []
    plain = all_scores(load_text_encoder("minilm"), held, vocabulary)
    for spec in ("plain=minilm", *specs):
        name, _, place = spec.partition("=")
        encoder = load_text_encoder(place)
        found += figures(name, all_scores(encoder, held, vocabulary), plain)
        print(f"{name}: {encodings_per_second(encoder, held['reg']):.0f} REG reports/s")
    out.write_text(json.dumps([asdict(figure) for figure in found], indent=1))
    show(found)


def encodings_per_second(encoder: TextEncoder, items: Sequence[Item]) -> float:
    texts = [item.text for item in items[:100]]
    began = perf_counter()
    encoder.encode(texts)
    return len(texts) / (perf_counter() - began)


def show(found: Sequence[Figure]) -> None:
    by_task: Callable[[Figure], str] = lambda figure: figure.task  # noqa: E731
    for task in dict.fromkeys(by_task(figure) for figure in found):
        rows = [figure for figure in found if figure.task == task]
        print(f"\n{task} ({rows[0].queries} queries)")
        for one in rows:
            print(
                f"  {one.encoder:24s} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]   "
                f"{one.gain:+.3f} [{one.gain_low:+.3f}, {one.gain_high:+.3f}]"
            )


def train(data: Path, names: Sequence[str], out: Path, settings: AdaptSettings, whole: bool) -> None:
    vocabulary = load_vocabulary()
    used = vocabulary if whole else half_vocabulary(vocabulary)
    items = [item for name in names for item in train_and_held(items_of(data, name), vocabulary)[0]]
    with show_progress("steps", total=None) as reporter:
        made = adapt(reports_of(items), "minilm", settings, used, out.with_name(out.name + ".training"), reporter)
    card = save_adaptation(made, out, files_sha256=(), data=" and ".join(names), licence="not to be shipped")
    losses = " ".join(f"{row.validation_loss:.3f}" for row in made.epochs)
    print(f"{names}: {card.train.texts} texts, {made.seconds:.0f} s, best {card.best_epoch}; validation {losses}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=("train", "measure"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--on", action="append", choices=SETS, default=[])
    parser.add_argument("--encoder", action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--whole-vocabulary", action="store_true")
    for name in ("epochs", "layers", "batch", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(AdaptSettings(), name))
    for name in ("learning-rate", "blend", "statements"):
        parser.add_argument(f"--{name}", type=float, default=getattr(AdaptSettings(), name.replace("-", "_")))
    given = parser.parse_args()
    if given.mode == "measure":
        measure(given.data, given.encoder, given.out)
        return
    names = ("epochs", "layers", "batch", "seed", "learning_rate", "blend", "statements")
    settings = AdaptSettings(**{name: getattr(given, name) for name in names}, device="cpu")
    train(given.data, given.on, given.out, settings, given.whole_vocabulary)


if __name__ == "__main__":
    main()
