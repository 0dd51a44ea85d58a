"""How far a report can be relied on: whether it has text, of words that there are, and a diagnosis."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from histoseek.reports.cleaning.mends import REMOVING, CleanText
from histoseek.reports.cleaning.spelling import load_dictionary
from histoseek.reports.concepts.cleaning import clean_report
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.structured import StructuredReport

QualityValue = Literal["good", "poor"]
QualityFlaw = Literal["little text", "mostly furniture", "unknown words", "no diagnosis"]

_WORD = re.compile(r"(?<!\[)\b[^\W\d_]{3,}\b")
_FEWEST_WORDS = 3
_FEWEST_JUDGED = 20
_MOST_UNKNOWN = 0.15
_MOST_FURNITURE = 0.5


@dataclass(frozen=True, slots=True)
class ReportQuality:
    """Whether a report is as one should be, and what is wrong with it where it is not.

    unknown_share: of its words, those that are in no dictionary; 0 in languages without one.
    """

    flaws: tuple[QualityFlaw, ...]
    unknown_share: float

    @property
    def value(self) -> QualityValue:
        """As a fact: "quality:poor"."""
        return "poor" if self.flaws else "good"


def judge_quality(
    text: str, report: StructuredReport, vocabulary: Vocabulary | None = None, boilerplate: frozenset[str] = frozenset()
) -> ReportQuality:
    """The quality of a report of which the fields were read."""
    vocabulary = vocabulary or load_vocabulary()
    clean = clean_report(text, vocabulary, boilerplate)
    words = _WORD.findall(clean.text.lower())
    unknown_share = _measure_unknown(words, vocabulary)
    flaws: list[QualityFlaw] = []
    if len(words) < _FEWEST_WORDS and not report.mentions:
        flaws.append("little text")
    if _measure_furniture(clean) > _MOST_FURNITURE:
        flaws.append("mostly furniture")
    if unknown_share > _MOST_UNKNOWN:
        flaws.append("unknown words")
    if not any(vocabulary[mention.concept_id].kind in {"diagnosis", "finding"} for mention in report.mentions):
        flaws.append("no diagnosis")
    return ReportQuality(tuple(flaws), round(unknown_share, 3))


def _measure_unknown(words: list[str], vocabulary: Vocabulary) -> float:
    """The share of words in no dictionary, 0 of a short text or one in a language of which there is none."""
    if len(words) < _FEWEST_JUDGED:
        return 0.0
    dictionary = load_dictionary(vocabulary.spellings)
    if dictionary.is_foreign(words):
        return 0.0
    return sum(not dictionary.knows(word) for word in words) / len(words)


def _measure_furniture(clean: CleanText) -> float:
    """The share of what is no white space that is not of the report."""
    removed = sum(_count_letters(mend.original) for mend in clean.mends if mend.reason in REMOVING)
    return removed / max(1, _count_letters(clean.original))


def _count_letters(text: str) -> int:
    return sum(map(len, text.split()))
