"""Terms are found where they stand, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.language.words import normalise_word, split_words

_WORDS = st.sampled_from(
    [
        *("no", "invasive", "ductal", "and", "lobular", "carcinoma", ",", "in", "situ", "of", "the", "breast", "-"),
        *("necrosis", "IDC", "ca.", "5", "mm", "\n", "中文", "İ", "type", "papillary", "renal", "cell", "tumours", "é"),
        *("(", ")", ";", "?", "vs"),
    ]
)


def _found(text: str) -> list[tuple[str, str]]:
    return [(text[mention.start : mention.end], mention.concept_id) for mention in find_terms(text)]


@pytest.mark.parametrize(
    ("text", "written", "concept_id"),
    [
        ("an Invasive Ductal Carcinoma", "Invasive Ductal Carcinoma", "invasive-carcinoma-nst"),
        ("infiltrating duct carcinoma", "infiltrating duct carcinoma", "invasive-carcinoma-nst"),
        ("two adenocarcinomas", "adenocarcinomas", "adenocarcinoma"),
        ("multiple metastases", "metastases", "metastasis"),
        ("hyperchromatic nuclei", "hyperchromatic nuclei", "hyperchromasia"),
        ("well-formed keratin-pearls", "keratin-pearls", "keratin-pearl"),
        ("noninvasive papillary urothelial carcinoma",) * 2 + ("non-invasive-papillary-urothelial-carcinoma",),
        ("core-needle\nbiopsy", "core-needle\nbiopsy", "core-needle-biopsy"),
        ("hemorrhage", "hemorrhage", "haemorrhage"),
        ("oesophageal adenocarcinoma", "oesophageal adenocarcinoma", "oesophageal-adenocarcinoma"),
        ("esophageal adenocarcinoma", "esophageal adenocarcinoma", "oesophageal-adenocarcinoma"),
        ("phyllodes tumor", "phyllodes tumor", "phyllodes-tumour"),
        ("Mullerian: malignant mixed Mullerian tumor", "malignant mixed Mullerian tumor", "carcinosarcoma"),
        ("Bowen's disease", "Bowen's disease", "bowen-disease"),
        ("H. pylori", "H. pylori", "helicobacter"),
        ("adenocarcinoma of the prostate", "adenocarcinoma of the prostate", "prostatic-adenocarcinoma"),
        ("renal cell carcinoma - papillary type",) * 2 + ("papillary-renal-cell-carcinoma",),
        (
            "Adenocarcinoma, intestinal type",
            "Adenocarcinoma, intestinal type",
            "intestinal-type-gastric-adenocarcinoma",
        ),
    ],
)
def test_a_term_is_found_however_it_is_written(text: str, written: str, concept_id: str) -> None:
    assert (written, concept_id) in _found(text)


def test_abbreviations_match_only_as_written() -> None:
    assert _found("IDC, two SCCs, Idc, scc") == [("IDC", "invasive-carcinoma-nst"), ("SCCs", "squamous-cell-carcinoma")]
    assert _found("ca breast, ca. 5 mm, Ca:c is (circle)") == [("ca", "carcinoma"), ("breast", "breast")]


def test_words_match_whole() -> None:
    assert _found("carcinomatosis prostatexy scca") == []


def test_the_longest_term_wins() -> None:
    assert _found("ductal carcinoma in situ") == [("ductal carcinoma in situ", "ductal-carcinoma-in-situ")]
    assert _found("ductal carcinoma. In situ") == [("ductal carcinoma", "invasive-carcinoma-nst")]


def test_terms_that_share_their_last_words_are_all_found() -> None:
    assert _found("ductal and lobular carcinoma in situ") == [
        ("ductal", "ductal-carcinoma-in-situ"),
        ("lobular carcinoma in situ", "lobular-carcinoma-in-situ"),
    ]
    shared = [concept_id for _, concept_id in _found("lymphatic, venous, or arterial invasion")]
    assert shared == ["lymphatic-invasion", "venous-invasion", "arterial-invasion"]


def test_lists_are_not_taken_for_types() -> None:
    found = [concept_id for _, concept_id in _found("Invasive carcinoma, ductal carcinoma in situ")]
    assert found == ["carcinoma", "ductal-carcinoma-in-situ"]


@given(st.lists(_WORDS, max_size=40).map(" ".join))
def test_places_are_in_the_text_in_order_and_apart(text: str) -> None:
    end = 0
    for mention in find_terms(text):
        assert end <= mention.start < mention.end <= len(text)
        assert text[mention.start : mention.end].strip() == text[mention.start : mention.end]
        end = mention.end


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    for mention in find_terms(text):
        assert 0 <= mention.start < mention.end <= len(text)
    assert [text[token.start : token.end] for token in split_words(text)] == [token.raw for token in split_words(text)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tumours", "tumor"), ("Metastases", "metastasis"), ("mitoses", "mitosis"), ("biopsies", "biopsy"),
        ("nuclei", "nucleus"), ("papillae", "papilla"), ("leukaemia", "leukemia"), ("oedema", "edema"),
        ("keratinised", "keratinized"), ("centre", "center"), ("carcinomata", "carcinoma"), ("diseases", "disease"),
        ("Hodgkin's", "hodgkin"), ("foetus", "fetus"), ("Müllerian", "mullerian"),
    ],
)  # fmt: skip
def test_spellings_and_numbers_are_evened_out(one: str, other: str) -> None:
    assert normalise_word(one) == normalise_word(other)


@pytest.mark.parametrize(("one", "other"), [("ileum", "ilium"), ("basal", "basaloid"), ("papilla", "papillary")])
def test_different_words_stay_different(one: str, other: str) -> None:
    assert normalise_word(one) != normalise_word(other)


def test_long_texts_are_read_to_their_end() -> None:
    text = "No necrosis, mitoses or invasion. Ductal and lobular carcinoma in situ, margin 2 mm. " * 500
    found = [(mention.concept_id, mention.status) for mention in find_terms(text)]
    assert found == found[: len(found) // 500] * 500
    assert len(found) == 6 * 500
