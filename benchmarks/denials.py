"""What reports deny: whether the analyser takes it so, in real reports and in made sentences of every kind.

Behind a cue: in 400 reports each of patients for development and held out (by a hash of the patient), every concept
that stands right behind "negative for", "free of", "no evidence of", "uninvolved by" or "without" (at most one word
between them; by a plain search, independent of the analyser), and the share of them that is taken as denied.
Sentences: precision and recall of denial in tests/reports/statements.tsv, by kind, those written before the rules and
after them apart. No ...: how many reports that only deny a finding, or only affirm it, match the query for it and the
query for its absence, in REG 2025 and in the reports of the first table. Run (REPORTS is the folder of reports):
    PYTHONPATH=. python benchmarks/denials.py REPORTS
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from real_reports import is_held_out, read_reports
from tests.reports.statements import is_right, read_signs, read_statements

from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.index.analyser import list_tokens
from histoseek.reports.index.weighting import Weighting, weigh_tokens
from histoseek.statistics.intervals import wilson_interval

SAMPLE = 400
SEED = 14
CUE = re.compile(
    r"\b(negative\s+for|free\s+of|no\s+evidence\s+of|uninvolved\s+by|without)\s+(?:[a-z-]+\s+)?$", re.IGNORECASE
)
FINDINGS = (
    ("necrosis", r"necrosis"),
    ("carcinoma", r"carcinoma"),
    ("perineural invasion", r"perineural\s+invasion"),
    ("lymphovascular invasion", r"(?:lympho-?vascular|angiolymphatic)\s+invasion"),
    ("metastasis", r"metasta(?:sis|ses|tic)"),
)


@dataclass
class Corpus:
    """Texts of real reports, held out or not."""

    name: str
    texts: list[str] = field(default_factory=list)


def read_tcga(folder: Path) -> list[Corpus]:
    development, held_out = Corpus("TCGA, development"), Corpus("TCGA, held out")
    for row in read_reports(folder.parent):
        (held_out if is_held_out(row["patient_id"]) else development).texts.append(row["text"])
    for corpus in (development, held_out):
        corpus.texts = random.Random(SEED).sample(corpus.texts, SAMPLE)
    return [development, held_out]


def read_reg(folder: Path) -> Corpus:
    rows = json.loads((folder / "reg2025_reports.json").read_text(encoding="utf-8"))
    return Corpus("REG 2025", sorted({" ".join(row["report"].split()) for row in rows}))


def list_behind_cues(text: str) -> Iterator[tuple[str, str, int]]:
    """The cue, the status and the place of each concept right behind one, the first of those behind it."""
    end = 0
    for mention in extract_facts(text).mentions:
        match = CUE.search(text, max(end, mention.start - 50), mention.start)
        if match:
            yield " ".join(match[1].lower().split()), mention.status.value, mention.start
        end = mention.end


def print_behind_cues(corpora: Iterable[Corpus]) -> None:
    print("\n| reports | cue | concepts behind it | affirmed | denied | share denied (95 %) |")
    print("| --- | --- | --- | --- | --- | --- |")
    for corpus in corpora:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for text in corpus.texts:
            for cue, status, _ in list_behind_cues(text):
                counts[cue][status] += 1
                counts["all"][status] += 1
        for cue, own in sorted(counts.items(), key=lambda pair: (pair[0] == "all", pair[0])):
            denied = share(own["negated"], own.total())
            print(f"| {corpus.name} | {cue} | {own.total()} | {own['affirmed']} | {own['negated']} | {denied} |")


def share(part: int, whole: int) -> str:
    if not whole:
        return "-"
    low, high = wilson_interval(part / whole, whole)
    return f"{part / whole:.3f} ({low:.3f}-{high:.3f})"


def print_statements() -> None:
    print(
        "\n| written | kind | sentences | right | denial: recall | denial: precision |"
        "\n| --- | --- | --- | --- | --- | --- |"
    )
    for written in ("before", "after", "blind"):
        rows: dict[str, Counter[str]] = defaultdict(Counter)
        for statement in read_statements(written):
            signs = read_signs(statement)
            counts = Counter(sentences=1, right=is_right(statement, signs))
            for name, sign in statement.expected.items():
                counts["denied"] += sign == "-"
                counts["taken"] += "-" in signs[name]
                counts["both"] += sign == "-" and signs[name] == "-"
            rows[statement.kind].update(counts)
            rows["all"].update(counts)
        for kind, own in sorted(rows.items(), key=lambda pair: pair[0] == "all"):
            recall, precision = share(own["both"], own["denied"]), share(own["both"], own["taken"])
            print(f"| {written} | {kind} | {own['sentences']} | {own['right']} | {recall} | {precision} |")


def print_queries(corpora: Iterable[Corpus]) -> None:
    """Reports that name a finding behind "no", "without" or before "absent" only, by a plain search, and those that
    name it nowhere so."""
    print(
        "\n| reports | finding | | reports | match FINDING | match no FINDING |\n| --- | --- | --- | --- | --- | --- |"
    )
    for corpus in corpora:
        tokens = [frozenset(list_tokens(text)) for text in corpus.texts]
        for finding, pattern in FINDINGS:
            plain, denied = read_query(finding), read_query(f"no {finding}")
            for name, test in (("only denied", only_denied), ("never denied", never_denied)):
                own = [held for held, text in zip(tokens, corpus.texts, strict=True) if test(text, pattern)]
                print(
                    f"| {corpus.name} | {finding} | {name} | {len(own)} | {sum(bool(held & plain) for held in own)} | "
                    f"{sum(bool(held & denied) for held in own)} |"
                )


def read_query(text: str) -> frozenset[str]:
    """The tokens that carry a query's meaning: its concepts."""
    weights: Mapping[str, float] = weigh_tokens(text, Weighting())
    return frozenset(token for token, weight in weights.items() if ":" in token and weight >= 1)


def list_denials(text: str, pattern: str) -> tuple[int, int]:
    """How often a finding is named, and how often so behind or before a plain word of denial."""
    named = len(re.findall(pattern, text, re.IGNORECASE))
    cue = r"\b(?:no|without|negative\s+for|free\s+of|uninvolved\s+by)\s+(?:[a-z-]+\s+){0,3}?"
    answer = r"\s*:?\s*(?:is\s+|are\s+)?(?:absent|not\s+(?:identified|seen|present)|none)\b"
    places = {match.end(1) for match in re.finditer(rf"{cue}({pattern})", text, re.IGNORECASE)}
    places |= {match.end(1) for match in re.finditer(rf"({pattern}){answer}", text, re.IGNORECASE)}
    return named, len(places)


def only_denied(text: str, pattern: str) -> bool:
    named, denied = list_denials(text, pattern)
    return named > 0 and named == denied


def never_denied(text: str, pattern: str) -> bool:
    named, denied = list_denials(text, pattern)
    return named > 0 and denied == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", type=Path)
    parts: dict[str, Callable[[Path], None]] = {
        "behind": lambda folder: print_behind_cues(read_tcga(folder)),
        "sentences": lambda folder: print_statements(),
        "queries": lambda folder: print_queries((read_reg(folder), *read_tcga(folder))),
    }
    parser.add_argument("--only", choices=parts)
    options = parser.parse_args()
    for name, run in parts.items():
        if options.only in {None, name}:
            run(options.reports)


if __name__ == "__main__":
    main()
