"""What marking results as relevant or irrelevant brings, on real tiles and reports.

Somebody goes down the results of a query and marks each by whether it has the query's label, until one, two or three
are relevant. What is left is measured: precision among the first 5 and 10 results after the marked slides, and all
slides of their patients, are taken out, of the first search and of the one with marks (residual collection). Queries
whose first 20 results have too few relevant ones, or that have fewer than ten right slides left, are not counted. Run:
    python benchmarks/feedback.py DATA --out FOLDER [--queries 300]
Archives that --out has already (benchmarks/ranking.py makes the same) are used again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crossmodal import real_archive
from real.run import TASKS, image_archive

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord, name_owner, read_value
from histoseek.evaluation.significance import bootstrap
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedReport, ArchivedSlide, PlainQuery, Query, Refined
from histoseek.search.search import search

ROUNDS = (1, 2, 3)
LOOKED_THROUGH = 20
DEPTHS = (5, 10)
RANKED = 80
"""Results of a search: enough that ten are left behind the marked ones and their patients."""

Ask = Callable[[str], PlainQuery]


@dataclass(frozen=True)
class Question:
    name: str
    archive: ArchiveFolder
    label: str
    ask: Ask


@dataclass(frozen=True)
class Marks:
    relevant: tuple[str, ...]
    irrelevant: tuple[str, ...]


@dataclass(frozen=True)
class Collection:
    """The archive's labels and owners by slide id."""

    labels: dict[str, str]
    owners: dict[str, str]

    @classmethod
    def of(cls, records: Sequence[SlideRecord], label: str) -> Collection:
        ids = [record.slide_id for record in records]
        labels = [read_value(record, label) for record in records]
        return cls(dict(zip(ids, labels, strict=True)), dict(zip(ids, map(name_owner, records), strict=True)))

    def marks(self, found: Sequence[str], label: str, relevant: int) -> Marks | None:
        """What is marked until so many are relevant; None when there are not so many."""
        looked_at = found[:LOOKED_THROUGH]
        right = [place for place, one in enumerate(looked_at) if self.labels[one] == label]
        if len(right) < relevant:
            return None
        seen = looked_at[: right[relevant - 1] + 1]
        same = tuple(one for one in seen if self.labels[one] == label)
        return Marks(same, tuple(one for one in seen if self.labels[one] != label))

    def precisions(self, found: Sequence[str], marks: Marks, label: str) -> list[float]:
        gone = {self.owners[one] for one in (*marks.relevant, *marks.irrelevant)}
        right = [self.labels[one] == label for one in found if self.owners[one] not in gone]
        return [float(np.mean(right[:depth])) for depth in DEPTHS]

    def right_left(self, query: str, marks: Marks) -> int:
        gone = {self.owners[one] for one in (query, *marks.relevant, *marks.irrelevant)}
        label = self.labels[query]
        return sum(self.labels[one] == label and self.owners[one] not in gone for one in self.labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=300)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print(
        "| archive, query | relevant marks | irrelevant, mean | queries | P@5 / P@10 without | relevant only | both |"
    )
    print("| --- " * 7 + "|")
    for question in questions(given.data, given.out):
        for line in lines(question, given.queries):
            print(line, flush=True)


def questions(data: Path, out: Path) -> list[Question]:
    lung, nsclc = (image_archive(task, data, out) for task in TASKS[:2])
    many = real_archive(data, out)
    return [
        Question("Lung, LC25000, tiles; a slide", lung, "diagnosis", ArchivedSlide),
        Question("NSCLC, TCGA, tiles; a slide", nsclc, "class_label", ArchivedSlide),
        Question("All pseudo-slides; a slide", many, "diagnosis", ArchivedSlide),
        Question("All pseudo-slides; a report", many, "diagnosis", ArchivedReport),
    ]


def lines(question: Question, queries: int) -> list[str]:
    records = [record for record in question.archive.records() if read_value(record, question.label)]
    known = Collection.of(records, question.label)
    drawn = np.random.default_rng(0).permutation(len(records))[:queries]
    asked = [records[i].slide_id for i in drawn]
    plain = {one: found(question, question.ask(one), known) for one in asked}
    return [line(question, known, plain, relevant) for relevant in ROUNDS]


def line(question: Question, known: Collection, plain: dict[str, list[str]], relevant: int) -> str:
    values, owners, irrelevant = [], [], []
    for one, first in plain.items():
        label = known.labels[one]
        marks = known.marks(first, label, relevant)
        if marks is None or known.right_left(one, marks) < max(DEPTHS):
            continue
        both = found(question, Refined(question.ask(one), marks.relevant, marks.irrelevant), known)
        alone = found(question, Refined(question.ask(one), marks.relevant), known)
        values.append([p for ids in (first, alone, both) for p in known.precisions(ids, marks, label)])
        owners.append(known.owners[one])
        irrelevant.append(len(marks.irrelevant))
    scores, patients = np.array(values), np.unique(owners, return_inverse=True)[1]
    cells = [f"{scores[:, 0].mean():.3f} / {scores[:, 1].mean():.3f}"]
    cells += [gain(scores[:, own : own + 2], scores[:, :2], patients) for own in (2, 4)]
    facts = f"{question.name} | {relevant} | {np.mean(irrelevant):.2f} | {len(scores)}"
    return f"| {facts} | {' | '.join(cells)} |"


def found(question: Question, query: Query, known: Collection) -> list[str]:
    results = search(question.archive, query, SearchOptions(k=RANKED))
    return [one.slide_id for one in results if one.slide_id in known.labels]


def gain(scores: np.ndarray, before: np.ndarray, patients: np.ndarray) -> str:
    """Both figures, and what they gained with the 95 % interval over patients."""
    differences = scores - before
    low, high = bootstrap(differences, patients, 0, least=-1.0)
    gains = (f"{differences[:, i].mean():+.3f} ({low[i]:+.3f} to {high[i]:+.3f})" for i in range(differences.shape[1]))
    return f"{scores[:, 0].mean():.3f} / {scores[:, 1].mean():.3f}: {', '.join(gains)}"


if __name__ == "__main__":
    main()
