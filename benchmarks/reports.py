"""Search through reports: what finds the right ones, what "no ..." finds, and how long it takes.

DATA/reports holds reg2025_reports.json, patchgastric_captions.csv and wsibench_report_test.json. Equal texts are one.
Paraphrases: each class of REG 2025 (organ, first diagnosis, grade) is asked for in other words, or each subtype of
PatchGastric; right is every report of the class. Report to report: a text asks for others of its class, never itself;
of PatchGastric's the sentences that name the diagnosis are left out of the query. Run:
    python benchmarks/reports.py DATA [--speed N ...]
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from histoseek.archive.report_index import read_report, split_windows
from histoseek.archive.stores.lance.dialect import to_sql
from histoseek.archive.stores.lance.engine import lancedb
from histoseek.archive.stores.lance.indexes import index_tokens
from histoseek.archive.stores.lance.texts import token_hits
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.evaluation.significance import bootstrap
from histoseek.reports.index.weighting import WORDS_ONLY, Weighting, weigh_tokens
from histoseek.reports.language.sentences import split_sentences
from histoseek.search.encode.text import ParsedText
from histoseek.search.retrieve.channels import LOOKED_INTO, Channel, count_missing_words, find_vector_share
from histoseek.search.retrieve.rank_fusion import reciprocal_rank_fusion
from histoseek.search.retrieve.text import LONG

DEPTH = 10
LOOKED_AT = 1000
CONTEXT_TOKENS = 256
# Other ways to say what reports of REG 2025 say, written down without looking at the vocabulary.
PARAPHRASES = {
    "invasive carcinoma of no special type": "infiltrating duct carcinoma",
    "invasive lobular carcinoma": "infiltrating lobular cancer",
    "ductal carcinoma in situ": "DCIS",
    "lobular carcinoma in situ": "LCIS",
    "acinar adenocarcinoma": "prostate cancer",
    "adenocarcinoma": "gland-forming carcinoma",
    "squamous cell carcinoma": "epidermoid carcinoma",
    "invasive squamous cell carcinoma": "infiltrating epidermoid carcinoma",
    "small cell carcinoma": "oat cell carcinoma",
    "non-small cell carcinoma": "NSCLC",
    "invasive urothelial carcinoma": "infiltrating transitional cell carcinoma",
    "non-invasive papillary urothelial carcinoma": "noninvasive papillary transitional cell carcinoma",
    "urothelial carcinoma in situ": "CIS of the urothelium",
    "high-grade squamous intraepithelial lesion": "HSIL, CIN 3",
    "low-grade squamous intraepithelial lesion": "LSIL, CIN 1",
    "endocervical adenocarcinoma in situ": "AIS of the endocervix",
    "tubular adenoma": "adenomatous polyp, tubular",
    "tubulovillous adenoma": "adenomatous polyp, tubulovillous",
    "sessile serrated lesion": "sessile serrated adenoma",
    "neuroendocrine tumor": "carcinoid",
    "gastrointestinal stromal tumor": "GIST",
    "malignant lymphoma": "lymphoproliferative malignancy",
    "signet-ring cell carcinoma": "signet ring cell cancer",
    "mucinous carcinoma": "colloid carcinoma",
    "usual ductal hyperplasia": "UDH",
    "atypical ductal hyperplasia": "ADH",
    "phyllodes tumor": "phylloides tumour",
    "fibroadenoma": "fibroadenomatous nodule",
    "no tumor present": "negative for malignancy",
    "no evidence of tumor": "no neoplasia",
    "chronic gastritis": "chronic inflammation of the stomach",
    "chronic active gastritis": "active chronic inflammation of the stomach",
}
ORGANS = {"breast": "mammary", "urinary bladder": "vesical", "uterine cervix": "cervical", "stomach": "gastric"}
SUBTYPES = {
    "Well differentiated tubular adenocarcinoma": "G1 gastric cancer, tub1",
    "Moderately differentiated tubular adenocarcinoma": "G2 gastric cancer, tub2",
    "Papillary adenocarcinoma": "papillary cancer of the stomach",
    "Poorly differentiated adenocarcinoma, non-solid type": "diffuse gastric cancer, poorly differentiated",
    "Poorly differentiated adenocarcinoma, solid type": "solid poorly differentiated gastric cancer",
    "Signet ring cell carcinoma": "signet-ring carcinoma",
    "Mucinous adenocarcinoma": "colloid carcinoma",
}
DENIED = (
    ("no necrosis", r"necrosis:? absent|without necrosis|no necrosis", r"necrosis:? present|with necrosis"),
    ("without necrosis", r"necrosis:? absent|without necrosis|no necrosis", r"necrosis:? present|with necrosis"),
    ("necrosis", r"necrosis:? present|with necrosis", r"necrosis:? absent|without necrosis|no necrosis"),
    ("no tumor", r"no tumor|no evidence of (?:tumor|malignan)", r"carcinoma|lymphoma"),
    ("no malignancy", r"no tumor|no evidence of (?:tumor|malignan)", r"carcinoma|lymphoma"),
    ("DCIS without necrosis", r"necrosis:? absent", r"necrosis:? present"),
    ("DCIS with necrosis", r"necrosis:? present", r"necrosis:? absent"),
)
SPECIAL = ("no necrosis", "organ:breast grade:3", '"muscle proper" invasive', "-necrosis DCIS")
_NAMES_DIAGNOSIS = re.compile(r"carcinoma|differentiated|tub\d|\bpor\d|\bsig\b|\bpap\b", re.IGNORECASE)

Search = Callable[[str], list[str]]


@dataclass(frozen=True)
class Asked:
    """A query, the ids that are right, and the id that must not be found."""

    text: str
    right: frozenset[str]
    own: str = ""


@dataclass
class Corpus:
    """Texts by id, searched in every way."""

    texts: Mapping[str, str]
    folder: Path
    read: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def encoder(self) -> Any:
        return load_text_encoder("minilm")

    @cached_property
    def ids(self) -> list[str]:
        return list(self.texts)

    @cached_property
    def table(self) -> Any:
        read = [read_report(text) for text in self.texts.values()]
        facts = pa.array([list(own) for _, own in read], pa.list_(pa.string()))
        rows = pa.table({"slide_id": self.ids, "report": list(self.texts.values()), "report_facts": facts})
        rows = rows.append_column("report_tokens", pa.array([tokens for tokens, _ in read]))
        table = lancedb.connect(self.folder).create_table("reports", rows, mode="overwrite")
        table.create_index("report", config=lancedb.index.FTS(with_position=True))
        index_tokens(table)
        return table

    @cached_property
    def tokens(self) -> dict[str, frozenset[str]]:
        rows = self.table.to_arrow().select(["slide_id", "report_tokens"]).to_pylist()
        return {row["slide_id"]: frozenset(row["report_tokens"].split()) for row in rows}

    @cached_property
    def vectors(self) -> Any:
        return self.encoder.encode(list(self.texts.values()))

    @cached_property
    def windows(self) -> tuple[Any, Any]:
        parts = [
            (row, part) for row, text in enumerate(self.texts.values()) for part in split_windows(text, CONTEXT_TOKENS)
        ]
        if not parts:
            return np.zeros((0, self.vectors.shape[1]), np.float32), np.zeros(0, np.int64)
        return self.encoder.encode([part for _, part in parts]), np.array([row for row, _ in parts])

    def raw(self, text: str) -> Channel:
        """The report's text in the engine's own analyser."""
        found = self.table.search(text, query_type="fts", fts_columns="report").limit(LOOKED_AT)
        rows = found.select(["slide_id", "_score"]).to_arrow()
        pairs = sorted(
            zip(rows["_score"].to_pylist(), rows["slide_id"].to_pylist(), strict=True), key=lambda p: (-p[0], p[1])
        )
        return Channel("report words", tuple(one for _, one in pairs), tuple(score for score, _ in pairs))

    def analysed(self, text: str, weighting: Weighting, where: str | None = None) -> Channel:
        hits = token_hits(self.table, weigh_tokens(text, weighting), LOOKED_AT, where)
        return Channel("report words", tuple(hit.slide_id for hit in hits), tuple(hit.score for hit in hits))

    def dense(self, text: str, in_windows: bool = False, among: frozenset[str] | None = None) -> Channel:
        if text not in self.read:
            self.read[text] = self.encoder.encode([text])[0]
        query = self.read[text]
        scores = self.vectors @ query
        if in_windows:
            windows, rows = self.windows
            np.maximum.at(scores, rows, windows @ query)
        order = [int(row) for row in np.argsort(-scores, kind="stable") if among is None or self.ids[row] in among]
        order = order[:LOOKED_AT]
        return Channel(
            "report vectors", tuple(self.ids[row] for row in order), tuple(float(scores[row]) for row in order)
        )

    def as_shipped(self, text: str, weighting: Weighting | None = None, is_report: bool = False) -> list[Channel]:
        """Both ways, without reports that say the opposite of a query."""
        where = None if is_report else _parsed(text, self.table)[1]
        rows = self.table.search().where(where or "true").select(["slide_id"]).limit(None).to_arrow()
        among = frozenset(rows["slide_id"].to_pylist())
        words = self.analysed(text, weighting or Weighting(), where)
        best = [self.tokens[key] for key in words.slide_ids[:LOOKED_INTO]]
        missing = count_missing_words(weigh_tokens(text, weighting or Weighting()), best)
        share = find_vector_share(missing, len(text) > LONG * CONTEXT_TOKENS)
        dense = replace(self.dense(text, in_windows=True, among=among), weight=share)
        return [dense, replace(words, weight=1 - share)]


class NoColumns:
    """A store without metadata."""

    record_analyser = ""

    def metadata_types(self) -> dict[str, Any]:
        return {}

    def match_record(self, tokens: Sequence[str]) -> None:
        return None


def ids_of(*rankings: Channel) -> list[str]:
    return [one.slide_id for one in reciprocal_rank_fusion(rankings)]


def systems(corpus: Corpus, is_report: bool) -> dict[str, Search]:
    return {
        "BM25 raw": lambda text: ids_of(corpus.raw(text)),
        "BM25 analysed, words": lambda text: ids_of(corpus.analysed(text, WORDS_ONLY)),
        "BM25 analysed, concepts": lambda text: ids_of(corpus.analysed(text, Weighting(broader=0))),
        "BM25 analysed, expanded": lambda text: ids_of(corpus.analysed(text, Weighting())),
        "dense, mean": lambda text: ids_of(corpus.dense(text)),
        "dense, windows": lambda text: ids_of(corpus.dense(text, in_windows=True)),
        "fused, raw + dense": lambda text: ids_of(corpus.dense(text), corpus.raw(text)),
        "fused equally, expanded + dense": lambda text: ids_of(*equally(corpus.as_shipped(text, None, is_report))),
        "fused, words + dense": lambda text: ids_of(*corpus.as_shipped(text, WORDS_ONLY, is_report)),
        "fused, expanded + dense": lambda text: ids_of(*corpus.as_shipped(text, None, is_report)),
    }


def equally(rankings: Sequence[Channel]) -> list[Channel]:
    return [replace(ranking, weight=1.0) for ranking in rankings]


def scores(search: Search, queries: Sequence[Asked]) -> np.ndarray:
    """Recall@1, recall@5 (any right one among the first) and average precision at 10, [Q, 3]."""
    rows = []
    for asked in queries:
        found = [one for one in search(asked.text) if one != asked.own][:DEPTH]
        hits = np.array([one in asked.right for one in found] + [False] * (DEPTH - len(found)))
        precisions = np.cumsum(hits) / np.arange(1, DEPTH + 1)
        best = min(DEPTH, len(asked.right))
        rows.append((hits[0], hits[:5].any(), (precisions * hits).sum() / best))
    return np.array(rows, np.float64)


def show(title: str, corpus: Corpus, queries: Sequence[Asked], is_report: bool) -> None:
    print(f"\n{title}: {len(queries)} queries, {len(corpus.texts)} texts")
    print("| system | recall@1 | recall@5 | MAP@10 |\n| --- | --- | --- | --- |")
    for name, search in systems(corpus, is_report).items():
        found = scores(search, queries)
        low, high = bootstrap(found, np.arange(len(found)), 0)
        cells = (f"{m:.3f} ({a:.3f}-{b:.3f})" for m, a, b in zip(found.mean(0), low, high, strict=True))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def reg_class(text: str) -> tuple[str, str, str]:
    """Organ, first diagnosis and its grade, from the report's layout alone."""
    head, _, rest = text.partition(";")
    rest = re.sub(r"^\s*(?:\d+\.\s*)?", "", rest)
    first = re.split(r"\s\d\.\s|Note\)", rest)[0]
    diagnosis = re.split(r"[,(;]| - | with | in intraductal", first)[0].strip().lower()
    grade = re.search(
        r"grade I{1,3}\b|(?:well|moderately|poorly) differentiated|(?:low|high)[ -]grade|\d\s?\+\s?\d", first
    )
    organ = head.split(",")[0].strip().lower()
    return (
        {"bladder": "urinary bladder", "cervix": "uterine cervix"}.get(organ, organ),
        diagnosis,
        grade[0] if grade else "",
    )


def reg_query(organ: str, diagnosis: str, grade: str) -> str | None:
    if diagnosis not in PARAPHRASES:
        return None
    grade = grade.replace("grade III", "grade 3").replace("grade II", "grade 2").replace("grade I", "grade 1")
    grade = f"Gleason {grade}" if "+" in grade else grade
    return " ".join(f"{PARAPHRASES[diagnosis]} {grade} {ORGANS.get(organ, organ)}".split())


def folded(texts: Iterator[str]) -> list[str]:
    return sorted({" ".join(text.split()) for text in texts})


def reg(data: Path, folder: Path) -> None:
    rows = json.loads((data / "reg2025_reports.json").read_text())
    texts = {f"r{i}": text for i, text in enumerate(folded(row["report"] for row in rows))}
    corpus = Corpus(texts, folder / "reg")
    classes = defaultdict(set)
    for key, text in texts.items():
        classes[reg_class(text)].add(key)
    asked = [(reg_query(*known), frozenset(own)) for known, own in classes.items()]
    show("REG 2025, paraphrases", corpus, [Asked(text, own) for text, own in asked if text], False)
    own_class = {key: frozenset(own - {key}) for own in classes.values() for key in own}
    queries = [Asked(texts[key], right, key) for key, right in own_class.items() if right]
    show("REG 2025, report to report", corpus, queries, True)
    denials(corpus)


def denials(corpus: Corpus) -> None:
    print(
        "\n| query | system | states it | states the opposite | neither | of |\n| --- | --- | --- | --- | --- | --- |"
    )
    for query, stated, opposite in DENIED:
        for name, search in systems(corpus, False).items():
            found = [corpus.texts[one] for one in search(query)[:DEPTH]]
            said = Counter(
                "opposite" if re.search(opposite, text, re.IGNORECASE) else
                "stated" if re.search(stated, text, re.IGNORECASE) else "neither" for text in found
            )  # fmt: skip
            print(f"| {query} | {name} | {said['stated']} | {said['opposite']} | {said['neither']} | {len(found)} |")


def gastric(data: Path, folder: Path) -> None:
    with (data / "patchgastric_captions.csv").open(newline="") as file:
        rows = [(" ".join(row["text"].split()), row["subtype"]) for row in csv.DictReader(file)]
    subtypes: dict[str, Counter[str]] = defaultdict(Counter)
    for text, subtype in rows:
        subtypes[text][subtype] += 1
    texts = {f"p{i}": text for i, text in enumerate(sorted(subtypes))}
    label = {key: subtypes[text].most_common(1)[0][0] for key, text in texts.items()}
    corpus = Corpus(texts, folder / "gastric")
    asked = [Asked(query, frozenset(key for key in texts if label[key] == name)) for name, query in SUBTYPES.items()]
    show("PatchGastric, paraphrases", corpus, asked, False)
    queries = []
    for key, text in texts.items():
        seen = " ".join(part for part in re.split(r"(?<=\.)\s+", text) if not _NAMES_DIAGNOSIS.search(part))
        right = frozenset(other for other in texts if label[other] == label[key] and other != key)
        queries += [Asked(seen, right, key)] if seen and right else []
    show("PatchGastric, report to report without its diagnosis", corpus, queries, True)


def wsibench(data: Path, folder: Path) -> None:
    rows = json.loads((data / "wsibench_report_test.json").read_text())
    texts = {f"w{i}": row["conversations"][1]["value"] for i, row in enumerate(rows)}
    label = {f"w{i}": row["image"].split("/")[0] for i, row in enumerate(rows)}
    corpus = Corpus(texts, folder / "wsibench")
    queries = [
        Asked(text, frozenset(other for other in texts if label[other] == label[key] and other != key), key)
        for key, text in texts.items()
    ]
    show("WSI-Bench (long texts), report to report", corpus, [one for one in queries if one.right], True)
    passages = [(one.own, [part.text for part in split_sentences(one.text)]) for one in queries]
    parts = [Asked(own[-2], frozenset({key})) for key, own in passages if len(own) > 2]
    show("WSI-Bench, a sentence finds its report", corpus, parts, True)


def speed(data: Path, folder: Path, count: int) -> None:
    """Latency of words and filters among reports made of real sentences."""
    rng = random.Random(0)
    rows = json.loads((data / "wsibench_report_test.json").read_text())
    reg_texts = folded(row["report"] for row in json.loads((data / "reg2025_reports.json").read_text()))
    pool = [part for row in rows for part in re.split(r"(?<=\.)\s+", row["conversations"][1]["value"])]
    known: dict[str, tuple[str, tuple[str, ...]]] = {part: read_report(part) for part in (*pool, *reg_texts)}
    parts = [[rng.choice(reg_texts), *rng.sample(pool, rng.randint(1, 4))] for _ in range(count)]
    strings = pa.list_(pa.string())
    table = pa.table({
        "slide_id": [f"s{i}" for i in range(count)],
        "report": [" ".join(own) for own in parts],
        "report_tokens": [" ".join(known[part][0] for part in own) for own in parts],
        "report_facts": pa.array([sorted({one for part in own for one in known[part][1]}) for own in parts], strings),
    })  # fmt: skip
    store = lancedb.connect(folder / f"speed{count}").create_table("reports", table)
    started = time.perf_counter()
    index_tokens(store)
    store.create_index("report_facts", config=lancedb.index.LabelList())
    print(f"\n{count} reports: index built in {time.perf_counter() - started:.1f} s")
    queries = [text for text in (reg_query(*reg_class(text)) for text in reg_texts) if text]
    queries = [*rng.sample(sorted(set(queries)), 40), *SPECIAL]
    reports = rng.sample(reg_texts, 20)
    asked: dict[str, list[tuple[Mapping[str, float], str | None]]] = {
        "queries": [_parsed(text, store) for text in queries],
        "queries without conditions": [(weigh_tokens(text, Weighting()), None) for text in queries],
        "whole reports": [(weigh_tokens(text, Weighting()), None) for text in reports],
        "an exact phrase": [_parsed('"muscle proper" invasive', store)] * 10,
    }
    for name, own in asked.items():
        for tokens, where in own[:3]:
            token_hits(store, tokens, LOOKED_AT, where)
        times = [_ms(partial(token_hits, store, tokens, LOOKED_AT, where)) for tokens, where in own]
        print(f"{name}: p50 {np.percentile(times, 50):.1f} ms, p95 {np.percentile(times, 95):.1f} ms", flush=True)


def _parsed(query: str, table: Any) -> tuple[Mapping[str, float], str | None]:
    """The tokens of a query and its conditions in the engine's words."""
    parsed = ParsedText.from_query(NoColumns(), query, True)  # type: ignore[arg-type]
    types = {column.name: column.type for column in table.schema}
    return parsed.tokens, to_sql(parsed.where, types) if parsed.where is not None else None


def _ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--speed", type=int, nargs="*", default=())
    parser.add_argument("--scratch", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.scratch) as folder:
        if given.speed:
            for count in given.speed:
                speed(given.data / "reports", Path(folder), count)
            return
        for run in (reg, gastric, wsibench):
            run(given.data / "reports", Path(folder))


if __name__ == "__main__":
    main()
