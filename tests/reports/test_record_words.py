"""Metadata, names and ids as the tokens that search for words compares, and the words of queries that meet them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.reports.index.query_words import list_query_words
from histoseek.reports.index.record_words import (
    WHOLE,
    RecordField,
    find_code,
    fold_name,
    list_field_tokens,
    list_record_tokens,
)
from histoseek.reports.index.weighting import WORDS_ONLY, Weighting


def _cover(query: str, *fields: RecordField, weighting: Weighting | None = None) -> float:
    """The mean share of a query's words that a record has."""
    tokens = set(list_record_tokens(fields))
    words = list_query_words(query, weighting or Weighting())
    return sum(max((w for t, w in word.tokens.items() if t in tokens), default=0.0) for word in words) / max(
        1, len(words)
    )


def _cell(value: object, name: str = "diagnosis") -> RecordField:
    return RecordField(name, value)  # type: ignore[arg-type]


def _name(value: str) -> RecordField:
    return RecordField("file", value, is_name=True)


@pytest.mark.parametrize(
    ("query", "diagnosis"),
    [
        ("lung squamous cell carcinoma", "lung squamous cell carcinoma"),
        ("SCC lung", "lung squamous cell carcinoma"),
        ("lung scc", "lung squamous cell carcinoma"),
        ("squamous cell carcinoma of the lung", "LUSC"),
        ("lung squamous cell carcinoma", "lung_scc"),
        ("pulmonary adenocarcinoma", "luad"),
        ("LUAD", "adenocarcinoma of lung"),
        ("rectal adenocarcinoma", "READ"),
        ("breast carcinoma", "TCGA-BRCA"),
        ("carcinoma", "lung adenocarcinoma"),
        ("lung", "LUSC"),
        ("tumour-free colon", "normal colon mucosa"),
        ("no carcinoma", "non_tumor"),
        ("no tumour", "nontumor"),
        ("Tumours of the kidneys", "kidney tumor"),
    ],
)
def test_a_diagnosis_is_met_however_it_is_written(query: str, diagnosis: str) -> None:
    assert _cover(query, _cell(diagnosis)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("query", "organ", "diagnosis"),
    [
        ("LUSC", "lung", "squamous cell carcinoma"),
        ("lung squamous cell carcinoma", "lung", "SCC"),
        ("lung cancer", "Lung", "adenocarcinoma"),
        ("gastric adenocarcinoma", "stomach", "adenocarcinoma"),
    ],
)
def test_cells_are_read_together(query: str, organ: str, diagnosis: str) -> None:
    assert _cover(query, _cell(organ, "organ"), _cell(diagnosis)) == pytest.approx(1)


def test_a_metastasis_is_no_tumour_of_its_organ() -> None:
    cells = _cell("liver", "organ"), _cell("metastatic colon adenocarcinoma")
    assert "diagnosis:hepatocellular-carcinoma" not in list_record_tokens(cells)


@pytest.mark.parametrize(
    ("query", "diagnosis"),
    [
        ("healthy bowel lining", "normal colon mucosa"),
        ("normal lung", "benign lung tissue"),
        ("malignant tumour of the lung", "C34.1"),
        ("womb", "uterus"),
        ("HE", "H&E"),
        ("H&E", "HE"),
        ("healthy tissue of the lung", "benign lung tissue"),
        ("tumour", "TUM"),
    ],
)
def test_everyday_words_and_codes_meet_what_they_stand_for(query: str, diagnosis: str) -> None:
    assert _cover(query, _cell(diagnosis)) >= 0.85


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("carcinoma", _cell("no carcinoma")),
        ("malignancy", _cell("negative for malignancy")),
        ("tumor", _cell("non_tumor")),
        ("tumor", _cell("absent", "tumor")),
        ("necrosis", _cell(False, "necrosis")),
        ("necrosis", _cell("no", "necrosis")),
        ("HER2 positive", _cell("negative", "her2_status")),
        ("grade 1", _cell(3, "grade")),
        ("carcinoma", _cell("normal colon mucosa")),
        ("negative", _cell("negative")),
        ("unknown", _cell("unknown")),
    ],
)
def test_what_is_denied_or_another_value_is_not_met(query: str, field: RecordField) -> None:
    assert _cover(query, field) == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("necrosis", _cell(True, "necrosis")),
        ("no necrosis", _cell("absent", "necrosis")),
        ("HER2 positive", _cell("Positive", "her2_status")),
        ("ER positive", _cell("pos", "er")),
        ("grade 3", _cell(3, "grade")),
        ("grade III", _cell("G3", "grade")),
        ("pT2", _cell("2a", "pt")),
        ("stage II", _cell("Stage IIB", "ajcc_stage")),
        ("female", _cell("F", "sex")),
        ("EGFR mutated", _cell("mutated", "egfr")),
    ],
)
def test_values_are_read_with_the_name_of_their_column(query: str, field: RecordField) -> None:
    assert _cover(query, field) == pytest.approx(1)


@pytest.mark.parametrize(
    "value", [None, "", " ", "-", "none", "N/A", "NA", "unknown", "[Not Available]", "not reported", "?", "null", "Nan"]
)
def test_a_cell_that_says_nothing_gives_nothing(value: str | None) -> None:
    assert list_field_tokens(_cell(value)) == ()
    assert list_field_tokens(_cell(value, "invasion")) == ()


def test_numbers_and_persons_give_no_words() -> None:
    assert list_field_tokens(_cell(61, "age")) == ()
    assert list_field_tokens(_cell(0.253, "spacing")) == ()
    assert list_field_tokens(_cell("Anna Schmidt", "patient_name")) == ()
    assert list_field_tokens(_cell("555 1234", "phone")) == ()
    assert list_field_tokens(RecordField("patient_id", "patient-0123456789ab", is_name=True)) == ()
    assert list_field_tokens(RecordField("patient_id", "Schmidt, Anna", is_name=True)) == ()
    assert list_field_tokens(_name("Schmidt_Anna_1.svs")) == (f"{WHOLE}schmidt-anna-1-svs", f"{WHOLE}schmidt-anna-1")


SLIDE = "TCGA-55-8092-01Z-00-DX1.svs"


@pytest.mark.parametrize(
    "query",
    [
        *("TCGA-55", "tcga-55-8092", "TCGA_55_8092", "TCGA 55 8092", "8092", "55-8092", "8092-01Z", "dx1"),
        *("TCGA-55-8092-01Z-00-DX1", SLIDE, SLIDE.lower(), "TCGA"),
    ],
)
def test_a_slide_is_found_by_its_name_and_any_run_of_its_parts(query: str) -> None:
    others = (_name("TCGA-18-5592-01Z-00-TS1.svs"), _name("MUC-55-0001.svs"))
    own = _cover(query, _name(SLIDE))
    assert own >= 0.9
    if query != "TCGA":
        assert all(own > _cover(query, other) for other in others)


@pytest.mark.parametrize("query", ["S12-345/6", "s12-345", "S12 345/6", "345/6", "S12-345"])
def test_accession_numbers_are_found(query: str) -> None:
    assert _cover(query, _name("S12-345_6.ndpi")) >= 0.9
    assert _cover(query, _name("S12-346_7.ndpi")) < _cover(query, _name("S12-345_6.ndpi"))


def test_a_whole_name_comes_before_longer_ones() -> None:
    assert _cover("S1-2", _name("S1-2.svs")) > _cover("S1-2", _name("S1-2-3.svs"))


@pytest.mark.parametrize(
    ("query", "name"), [("grade 3", "case-1-3.svs"), ("pT2 N1", "block_2_1.svs"), ("5 cm", "5.svs")]
)
def test_numbers_of_a_sentence_are_no_parts_of_names(query: str, name: str) -> None:
    assert _cover(query, _name(name)) == 0


def test_words_of_file_names_count() -> None:
    assert _cover("lung SCC", _name("lung_scc_0012.jpg")) == pytest.approx(1)
    assert _cover("lung SCC", _name("LungSCC12.png")) == pytest.approx(1)
    assert _cover("tumor", _name("no_tumor_3.png")) == 0
    assert _cover("0012", _name("slide0012.tiff")) >= 0.9
    assert _cover("12", _name("slide0012.tiff")) == 0


def test_no_other_names_without_expansion() -> None:
    assert _cover("SCC", _cell("squamous cell carcinoma"), weighting=WORDS_ONLY) == 0
    assert _cover("squamous cell carcinoma", _cell("squamous cell carcinoma"), weighting=WORDS_ONLY) == 1


def test_codes_are_known_in_any_case_and_with_their_project() -> None:
    assert find_code("READ") == find_code("tcga-read") == "rectal adenocarcinoma"
    assert find_code("C34.1") == find_code("c34")
    assert find_code("8140/3") == "adenocarcinoma"
    assert find_code("carcinoma") is None


@given(st.text(max_size=60))
@settings(max_examples=40)
def test_any_text_gives_tokens_without_blanks_and_its_own_name_finds_it(text: str) -> None:
    for field in (_cell(text), _cell(text, "her2"), _name(text)):
        tokens = list_field_tokens(field)
        assert all(token and not any(character.isspace() for character in token) for token in tokens)
        assert len(tokens) == len(set(tokens))
    for word in list_query_words(text, Weighting()):
        assert all(0 < weight <= 1 for weight in word.tokens.values())
    assert fold_name(fold_name(text)) == fold_name(text)
