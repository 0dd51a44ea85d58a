"""Recall and precision on identifiers planted in made-up reports, and false alarms on real ones."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from histoseek.reports.privacy.deidentify import deidentify
from histoseek.reports.privacy.identifiers.lexicon import fold, load_lexicon

from .planted import Document, documents, missed, score
from .planted_layouts import TEST, TUNING
from .planted_values import LISTED_GIVEN, LISTED_SURNAMES, UNLISTED_GIVEN, UNLISTED_SURNAMES

ROUNDS = 6


def replaced(layouts: dict[str, str]) -> list[tuple[Document, tuple[object, ...]]]:
    return [(document, deidentify(document.text).spans) for document in documents(layouts, ROUNDS)]


def test_names_are_listed_and_unlisted_as_said() -> None:
    lists = load_lexicon()
    assert all(fold(name) in lists.given_names for name in LISTED_GIVEN)
    assert all(fold(name) in lists.surnames for name in LISTED_SURNAMES)
    assert not any(lists.is_listed(fold(name)) for name in (*UNLISTED_GIVEN, *UNLISTED_SURNAMES))


def test_planted_identifiers_are_found() -> None:
    assert len(TUNING) + len(TEST) == 20
    total = score(replaced(TUNING | TEST))
    assert total.planted >= 300
    assert total.recall >= 0.98
    assert total.precision >= 0.9


def test_layouts_set_aside_are_nearly_as_good() -> None:
    total = score(replaced(TEST))
    assert total.planted >= 300
    assert total.recall >= 0.96
    assert total.precision >= 0.9


def test_names_outside_the_lists_are_found_by_their_context() -> None:
    planted = found = 0
    for document, spans in replaced(TUNING | TEST):
        unlisted = [item for item in document.planted if item.listed is False]
        planted += len(unlisted)
        found += len(unlisted) - sum(item.listed is False for item in missed(document, spans))
    assert planted >= 200
    assert found / planted >= 0.97


def real_texts(reports: Path, name: str) -> list[str]:
    if name == "patchgastric":
        with (reports / "patchgastric_captions.csv").open(encoding="utf-8") as file:
            return sorted({row["text"] for row in csv.DictReader(file)})
    if name == "reg2025":
        return sorted({row["report"] for row in json.loads((reports / "reg2025_reports.json").read_text("utf-8"))})
    if name == "pathgen":
        rows = json.loads((reports / "pathgen_sample_captions.json").read_text("utf-8"))
        return [row["caption"] for row in rows[::5]]
    rows = json.loads((reports / "wsibench_report_test.json").read_text("utf-8"))
    return [turn["value"] for row in rows for turn in row["conversations"] if turn["from"] == "gpt"]


@pytest.mark.parametrize("name", ["reg2025", "patchgastric", "pathgen", "wsibench"])
def test_texts_without_identifiers_are_left_alone(shared_data: Path, name: str) -> None:
    texts = real_texts(shared_data / "reports", name)
    words = sum(len(text.split()) for text in texts)
    alarms = sum(len(deidentify(text).spans) for text in texts)
    assert words > 5000
    assert alarms / words < 0.0002
