"""Presidio as a second reader, with an analyser made here: the package itself is installed on demand."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from histoseek.archive.indexing.report_cleaner import ReportCleaner
from histoseek.errors import MissingExtra
from histoseek.reports.privacy.deidentify import KnownIdentifiers, deidentify
from histoseek.reports.privacy.presidio import PresidioReader, load_presidio


@dataclass(frozen=True)
class Result:
    entity_type: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class FakeAnalyser:
    """Takes each of its phrases for the entity beside it, with one score."""

    entities: dict[str, str]
    score: float = 0.85

    def analyze(self, text: str, language: str, entities: list[str]) -> list[Result]:
        assert language == "en"
        return [
            Result(kind, text.index(phrase), text.index(phrase) + len(phrase), self.score)
            for phrase, kind in self.entities.items()
            if kind in entities and phrase in text
        ]


def clean(text: str, score: float = 0.85, **entities: str) -> str:
    phrases = {phrase: kind for kind, phrase in entities.items()}
    return deidentify(text, second=PresidioReader(FakeAnalyser(phrases, score))).text


def test_what_presidio_finds_goes_beside_what_the_rules_find() -> None:
    text = "yesterday Quisenberry rang about MRN 1234567"
    assert deidentify(text).text == "yesterday Quisenberry rang about MRN [ID]"
    assert clean(text, PERSON="Quisenberry") == "yesterday [NAME] rang about MRN [ID]"
    assert clean(text, PERSON="about MRN 1234567") == "yesterday Quisenberry rang about MRN [ID]"


@pytest.mark.parametrize(
    "phrase",
    [
        "Glioblastoma",
        "Gleason",
        "Stage III",
        "Left Kidney",
        "Clear Cell",
        "FINAL DIAGNOSIS",
        "Carcinorna",
        "Fuhrman grade",
    ],
)
@pytest.mark.parametrize("entity", ["PERSON", "LOCATION"])
def test_words_of_reports_are_protected(phrase: str, entity: str) -> None:
    text = f"seen: {phrase} of this slide"
    assert clean(text, **{entity: phrase}) == text


def test_words_of_reports_are_cut_off_the_ends_of_a_name() -> None:
    assert clean("for Quisenberry Adenocarcinoma", PERSON="Quisenberry Adenocarcinoma") == "for [NAME] Adenocarcinoma"


@pytest.mark.parametrize("phrase", ["2009", "67 years", "three weeks", "3+4", "the year"])
def test_years_ages_and_durations_stay(phrase: str) -> None:
    text = f"since {phrase}, as before"
    assert clean(text, DATE_TIME=phrase) == text


def test_low_scores_do_not_count() -> None:
    assert clean("yesterday Quisenberry rang", score=0.1, PERSON="Quisenberry") == "yesterday Quisenberry rang"


def test_texts_that_an_archive_stores_are_read_twice() -> None:
    cleaner = ReportCleaner(second=PresidioReader(FakeAnalyser({"Quisenberry": "PERSON"})))
    assert (
        cleaner.clean("yesterday Quisenberry rang, MRN 1234567", KnownIdentifiers())
        == "yesterday [NAME] rang, MRN [ID]"
    )
    assert {count.kind.value: count.count for count in cleaner.removed} == {"name": 1, "id": 1}


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    load_presidio.cache_clear()
    with pytest.raises(MissingExtra, match=r"histoseek\[presidio\]"):
        load_presidio()
