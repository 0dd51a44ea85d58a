"""The language of queries for reports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.errors import InputError
from histoseek.reports.index.query import FieldTerm, ReportQuery, is_fact_field, make_fact, parse_query


@pytest.mark.parametrize(
    ("query", "parsed"),
    [
        ("carcinoma of the breast", ReportQuery("carcinoma of the breast")),
        ('"no special type" grade 3', ReportQuery("no special type grade 3", ("no special type",))),
        ("carcinoma -necrosis", ReportQuery("carcinoma", excluded_words=("necrosis",))),
        ('carcinoma -"in situ"', ReportQuery("carcinoma", excluded_phrases=("in situ",))),
        ("non-small cell", ReportQuery("non-small cell")),
        (
            'grade:3 -organ:lung diagnosis:"small cell carcinoma"',
            ReportQuery(
                "",
                fields=(
                    FieldTerm("grade", "3", False),
                    FieldTerm("organ", "lung", True),
                    FieldTerm("diagnosis", "small cell carcinoma", False),
                ),
            ),
        ),
        ("pT:2a, tumour", ReportQuery("tumour", fields=(FieldTerm("pt", "2a", False),))),
        ("Diagnosis: carcinoma at 12:30 http://x", ReportQuery("Diagnosis: carcinoma at 12:30 http://x")),
        ('an unbalanced " quote', ReportQuery('an unbalanced " quote')),
        ("Diagnosis: carcinoma", ReportQuery("Diagnosis: carcinoma")),
        ('"grade:"', ReportQuery("grade:", ("grade:",))),
        ("胃癌", ReportQuery("胃癌")),
        ("3", ReportQuery("3")),
    ],
)
def test_a_query_is_taken_apart(query: str, parsed: ReportQuery) -> None:
    assert parse_query(query) == parsed


def test_fields_alone_are_spoken_by_their_values() -> None:
    assert parse_query('grade:3 -organ:lung diagnosis:"small cell carcinoma"').plain_text == "3 small cell carcinoma"
    assert parse_query("grade:3 tumour").plain_text == "tumour"


@given(st.text(st.sampled_from('ab:" -.,\n\0é中'), max_size=60))
def test_any_text_is_a_query_that_asks_for_something_or_is_refused(query: str) -> None:
    try:
        parsed = parse_query(query)
    except InputError as error:
        assert ":" in query or not any(character.isalnum() for character in query)
        assert "\n" not in str(error)
        return
    assert any(character.isalnum() for character in query)
    assert all(term.value for term in parsed.fields)


@pytest.mark.parametrize("query", ["", " ", '""', "...", "-", "?!", "_", '"" -""', "🙂"])
def test_a_query_without_a_word_is_refused(query: str) -> None:
    with pytest.raises(InputError, match="contains no letter or digit"):
        parse_query(query)


@pytest.mark.parametrize("query", ["grade:", "carcinoma grade: ", '-organ:""', 'grade:" " carcinoma', "grade:, x"])
def test_a_field_without_a_value_is_refused(query: str) -> None:
    with pytest.raises(InputError, match=r"^(grade|organ):: a field without a value. Write (grade|organ):VALUE"):
        parse_query(query)


@pytest.mark.parametrize(
    "query",
    ['a:"' * 30_000, "a" + "-" * 100_000, '"' * 100_000 + "a", 'a"b ' * 25_000, "a:b " * 25_000, "a: " * 9_999 + "b"],
)
def test_a_very_long_query_is_taken_apart(query: str) -> None:
    assert len(parse_query(query).text) <= len(query)


@pytest.mark.parametrize(
    ("field", "value", "fact"),
    [
        ("grade", "III", "grade:3"),
        ("grade", "high", "grade:high"),
        ("pt", "pT2a", "pt:2a"),
        ("pt", "T2a", "pt:2a"),
        ("pt", "2a", "pt:2a"),
        ("stage", "IIIA", "stage:3a"),
        ("gleason", "3 + 4", "gleason:3+4"),
        ("her2", "2+", "her2:2+"),
        ("mib1", "20%", "ki67:20%"),
        ("er", "positive", "er:positive"),
        ("organ", "Lung", "organ:lung"),
        ("anatomy", "liver", "anatomy:liver"),
        ("diagnosis", "signet-ring cell carcinoma", "diagnosis:signet-ring-cell-carcinoma"),
        ("diagnosis", "IDC", "diagnosis:invasive-carcinoma-nst"),
        ("absent", "necrosis", "absent:necrosis"),
        ("diagnosis", "'); DROP TABLE", "diagnosis:drop-table"),
    ],
)
def test_a_field_names_a_fact(field: str, value: str, fact: str) -> None:
    assert is_fact_field(field)
    assert make_fact(field, value) == fact


@pytest.mark.parametrize("field", ["colour", "x", "patient_id", "nosuchmarker"])
def test_other_fields_are_no_facts(field: str) -> None:
    assert not is_fact_field(field)
