"""The texts of an adaptation: de-identified, each once, in parts that share neither a case nor a text."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from histoseek.errors import InputError
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.files.document import Report
from histoseek.reports.language.sections import split_sections
from histoseek.reports.privacy.deidentify import deidentify
from histoseek.training.text.facts import Passage, read_passage, text_key

LEAST_TEXTS = 8
"""Fewer different texts teach nothing that lasts."""


@dataclass(frozen=True, slots=True)
class CorpusText:
    """One text with its parts in order (sections, of them sentences).

    group: texts of one case, and cases that share a text, have the same number.
    """

    whole: Passage
    parts: tuple[tuple[str, ...], ...]
    group: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences of all parts."""
        return tuple(sentence for part in self.parts for sentence in part)


@dataclass(frozen=True, slots=True)
class ReplacedKind:
    """How many identifiers of a kind were replaced in all texts."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """All texts, in the order of their keys; reports: how many were read; replaced: identifiers taken out."""

    texts: tuple[CorpusText, ...]
    reports: int
    replaced: tuple[ReplacedKind, ...]

    @property
    def sha256(self) -> str:
        """Hash over the hashes of all texts."""
        hashes = sorted(hashlib.sha256(text.whole.key.encode()).hexdigest() for text in self.texts)
        return hashlib.sha256(" ".join(hashes).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class CorpusSplit:
    """Two parts that share neither a case nor a text."""

    train: tuple[CorpusText, ...]
    validation: tuple[CorpusText, ...]


def build_corpus(reports: Sequence[Report], vocabulary: Vocabulary) -> Corpus:
    """Prepare reports; raises InputError when fewer than LEAST_TEXTS different texts are among them."""
    replaced: Counter[str] = Counter()
    texts, cases = dict[str, str](), list[tuple[str, str]]()
    for number, report in enumerate(reports):
        cleaned = deidentify(report.text)
        replaced.update({str(count.kind): count.count for count in cleaned.counts})
        key = text_key(cleaned.text)
        if key:
            texts.setdefault(key, cleaned.text)
            cases.append((report.patient_id or report.case_id or f"report {number}", key))
    if len(texts) < LEAST_TEXTS:
        what = f"{len(reports)} reports with {len(texts)} different texts are too few to learn from"
        raise InputError("reports", what, f"Give at least {LEAST_TEXTS} different texts; hundreds are better")
    groups = _groups(cases)
    prepared = tuple(_prepare(texts[key], groups[key], vocabulary) for key in sorted(texts))
    counts = tuple(ReplacedKind(kind, count) for kind, count in sorted(replaced.items()))
    return Corpus(prepared, len(reports), counts)


def split_corpus(corpus: Corpus, share: float, seed: int) -> CorpusSplit:
    """Hold a share of the groups out for validation, the same for any order of the reports.

    Raises InputError when all texts belong to one case.
    """
    groups = sorted({text.group for text in corpus.texts})
    if len(groups) < 2:
        what = "all texts belong to one case, so none can be held out"
        raise InputError("reports", what, "Give reports of several cases")
    count = min(max(1, round(share * len(groups))), len(groups) - 1)
    validation_groups = {groups[place] for place in np.random.default_rng(seed).permutation(len(groups))[:count]}
    return CorpusSplit(
        tuple(text for text in corpus.texts if text.group not in validation_groups),
        tuple(text for text in corpus.texts if text.group in validation_groups),
    )


def _prepare(text: str, group: int, vocabulary: Vocabulary) -> CorpusText:
    return CorpusText(read_passage(text, vocabulary), tuple(_parts(text)), group)


def _parts(text: str) -> Iterator[tuple[str, ...]]:
    for section in split_sections(text).sections:
        sentences = tuple(sentence.text for sentence in section.sentences)
        if sentences:
            yield sentences


def _groups(cases: Sequence[tuple[str, str]]) -> dict[str, int]:
    """A number for each text key: the same for keys that are joined by cases, however many steps away."""
    above: dict[str, str] = {}

    def root(node: str) -> str:
        while (parent := above.setdefault(node, node)) != node:
            above[node] = node = above[parent]
        return node

    for case, key in cases:
        above[root(f"case {case}")] = root(f"text {key}")
    keys = sorted({key for _, key in cases})
    numbers = {name: number for number, name in enumerate(dict.fromkeys(root(f"text {key}") for key in keys))}
    return {key: numbers[root(f"text {key}")] for key in keys}
