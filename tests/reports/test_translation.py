"""Names of organs and diagnoses in other languages are read in English; English is left as it is."""

from __future__ import annotations

import pytest

from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.translation import translate


@pytest.mark.parametrize(
    ("text", "concept_ids"),
    [
        ("Adenokarzinom der Lunge", ["lung-adenocarcinoma"]),
        ("Plattenepithelkarzinom der Mundhöhle", ["oral-squamous-cell-carcinoma"]),
        ("Lungenkarzinom", ["lung-carcinoma"]),
        ("Klarzelliges Nierenzellkarzinom", ["clear-cell-renal-cell-carcinoma"]),
        ("Leberzellkarzinom", ["hepatocellular-carcinoma"]),
        ("Darmkrebs", ["colorectal-adenocarcinoma"]),
        ("carcinome épidermoïde du poumon", ["lung-squamous-cell-carcinoma"]),
        ("adénocarcinome du côlon", ["colorectal-adenocarcinoma"]),
        ("cancer du sein", ["breast-carcinoma"]),
        ("plaveiselcelcarcinoom van de long", ["lung-squamous-cell-carcinoma"]),
        ("adenocarcinoma di polmone", ["lung-adenocarcinoma"]),
        ("carcinoma de pulmón", ["lung-carcinoma"]),
    ],
)
def test_a_diagnosis_is_the_same_in_every_language(text: str, concept_ids: list[str]) -> None:
    assert [mention.concept_id for mention in find_terms(translate(text))] == concept_ids


@pytest.mark.parametrize(
    "text",
    [
        *("adenocarcinoma of the lung", "a long bone with a tumour", "carcinoma in situ de novo", "mit der Bahn"),
        *("rein in the horses", "colon cancer", "van Gogh", "Das linke Ufer des Rheins"),
    ],
)
def test_what_is_english_or_no_diagnosis_stays(text: str) -> None:
    assert translate(text) == text


def test_words_that_reports_have_stay() -> None:
    assert translate("Adenokarzinom der Lunge", lambda word: True) == "Adenokarzinom der Lunge"
