"""What is denied, doubted or past, on sentences as pathologists write them."""

from __future__ import annotations

import pytest

from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.language.negation import Status

_SIGNS = {"+": Status.AFFIRMED, "-": Status.NEGATED, "?": Status.UNCERTAIN, "<": Status.HISTORICAL}


def _statuses(text: str) -> dict[str, Status]:
    return {mention.concept_id: mention.status for mention in find_terms(text)}


# Each line: what is expected of the concepts, then the text.
@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("necrosis- mitosis- invasion-", "No necrosis, mitoses or invasion."),
        ("necrosis-", "Necrosis: Absent"),
        ("necrosis+", "Necrosis: Present"),
        ("necrosis- microcalcification+", "- Necrosis: Absent\n2. Microcalcification"),
        ("malignant-neoplasm-", "no evidence of\nmalignancy"),
        ("malignant-neoplasm- dysplasia-", "Negative for dysplasia and malignancy."),
        ("neoplasm-", "The specimen is free of tumour."),
        ("neoplasm-", "tumour-free"),
        ("necrosis- mitosis+", "No necrosis, a few mitoses."),
        ("necrosis- perineural-invasion+", "No necrosis, but perineural invasion is seen."),
        ("vascular-invasion- necrosis+", "No vascular invasion is identified, and necrosis is present."),
        ("vascular-invasion- perineural-invasion+", "Vascular invasion is absent, while perineural invasion is found."),
        ("necrosis- calcification-", "Necrosis and calcification are not observed."),
        ("necrosis- vascular-invasion-", "Neither necrosis nor vascular invasion was seen."),
        ("vascular-invasion- perineural-invasion-", "no vascular or perineural invasion"),
        (
            "adenocarcinoma+ lymphovascular-invasion+ perineural-invasion-",
            "Adenocarcinoma, LVI present, PNI not identified.",
        ),
        ("carcinoma- ductal-carcinoma-in-situ+", "Invasive carcinoma is absent; DCIS is present"),
        ("granulomatous-inflammation+ necrosis-", "Chronic granulomatous inflammation without necrosis"),
        ("metastatic-carcinoma- lymph-node+", "No evidence of metastatic carcinoma in fourteen lymph nodes."),
        ("helicobacter-", "H. pylori not seen"),
        ("invasive-carcinoma-nst+", "Invasive carcinoma of no special type"),
        ("non-small-cell-carcinoma+", "Non-small cell carcinoma, not otherwise specified"),
        ("chronic-gastritis+ intestinal-metaplasia+", "Not only chronic gastritis but also intestinal metaplasia."),
        ("mitosis+", "No increase in mitoses."),
        ("non-invasive-papillary-urothelial-carcinoma+", "Non-invasive papillary urothelial carcinoma"),
        ("adenocarcinoma+", "The pattern is consistent with adenocarcinoma."),
        ("malignant-neoplasm?", "Findings are suspicious for malignancy."),
        ("malignant-neoplasm?", "Malignancy cannot be excluded."),
        ("carcinoma?", "Cannot rule out invasive carcinoma."),
        ("fibroepithelial-tumour+ phyllodes-tumour?", "Fibroepithelial tumor, favor phyllodes tumor"),
        ("adenocarcinoma? mesothelioma?", "Adenocarcinoma vs. mesothelioma."),
        ("basal-cell-carcinoma? actinic-keratosis?", "Basal cell carcinoma? Actinic keratosis?"),
        (
            "vascular-invasion? necrosis-",
            "Vascular invasion is not unequivocally present, and no necrosis is observed.",
        ),
        ("squamous-metaplasia? fibrosis+", "Possible squamous metaplasia, fibrosis."),
        ("breast-carcinoma< lung+", "History of breast cancer. Now a lung nodule."),
        ("carcinoma-", "No history of carcinoma."),
        ("ulcerative-colitis+ crohn-disease?", "more consistent with ulcerative colitis than with Crohn's disease"),
    ],
)
def test_the_status_of_what_is_named(expected: str, text: str) -> None:
    wanted = {token[:-1]: _SIGNS[token[-1]] for token in expected.split()}
    assert _statuses(text) == wanted


def test_the_cue_is_given_with_its_place() -> None:
    text = "Margins clear. There is no evidence of malignancy."
    cue = find_terms(text)[-1].cue
    assert cue is not None
    assert text[cue.start : cue.end] == "no evidence of"


def test_a_sentence_does_not_reach_into_the_next() -> None:
    found = _statuses("No necrosis. Mitoses. Atrophy.\n\nFibrosis")
    assert [status for one, status in found.items() if one != "necrosis"] == [Status.AFFIRMED] * 3


def test_case_does_not_matter() -> None:
    assert _statuses("NO EVIDENCE OF MALIGNANCY") == {"malignant-neoplasm": Status.NEGATED}


def test_letters_whose_lower_case_is_longer_keep_the_places() -> None:
    text = "İİİ no necrosis"
    mention = find_terms(text)[-1]
    assert text[mention.start : mention.end] == "necrosis"
    assert mention.status == Status.NEGATED


@pytest.mark.parametrize(
    "part", ["no carcinoma, ", "(", "_ a ", "[ ] a ", "a: ", "no\n", "0/12 ", "carcinoma (no) ", "- ", "A: no "]
)
def test_long_runs_of_marks_are_read_like_short_ones(part: str) -> None:
    short, long = find_terms(part * 500), find_terms(part * 4000)
    assert len(long) == 8 * len(short)
    assert {mention.status for mention in long} == {mention.status for mention in short}
