"""One row a case: the final word over sections and specimens."""

from __future__ import annotations

from histoseek.reports.facts.report_facts import list_values
from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.facts.summary import summarise_report

REPORT = """CLINICAL HISTORY:
Clinically T1 melanoma of the skin, high grade glioma in 1990.
FROZEN SECTION DIAGNOSIS:
Colon: high grade sarcoma.
FINAL DIAGNOSIS:
A. Colon, right hemicolectomy: adenocarcinoma, moderately differentiated (G2).
Margins are free of tumor. No perineural invasion.
Eleven lymph nodes, negative (0/11).
B. Lymph nodes, para-aortic, excision: metastatic adenocarcinoma in one of two nodes.
Stage: pT3 pN1 L1 V0 R0.
GROSS DESCRIPTION:
A. A 5 cm tumor reaches the margin. Blocks G1-G4.
"""


def test_a_case_in_one_row() -> None:
    summary = summarise_report(extract_facts(REPORT))
    assert (summary.organs, summary.diagnoses) == (("colon",), ("colorectal-adenocarcinoma",))
    assert (summary.grades, summary.differentiation) == (("2",), ("moderate",))
    assert (summary.t, summary.n, summary.m) == (("3",), ("1",), ())
    assert (summary.node_counts, summary.node_total) == (("0/11", "1/2"), "1/13")
    assert (summary.margin, summary.final_margin) == ("free", "free")
    assert (summary.lymphovascular, summary.perineural, summary.necrosis) == ("present", "absent", "")
    assert summary.specimens == ("A", "B")
    assert set(summary.sections) >= {"history", "frozen", "diagnosis", "gross"}


def test_a_clinical_stage_counts_only_without_a_pathological_one() -> None:
    assert summarise_report(extract_facts("DIAGNOSIS:\nCarcinoma, cT1 cN0, pT2.")).t == ("2",)
    assert summarise_report(extract_facts("DIAGNOSIS:\nCarcinoma, cT1 cN0.")).t == ("1",)


def test_a_named_grade_in_a_description_adds_nothing_to_the_diagnosis() -> None:
    text = "DIAGNOSIS:\nBrain, biopsy: oligodendroglioma, WHO grade {}.\nCOMMENT:\nMuch of the tumour is low grade."
    assert summarise_report(extract_facts(text.format("III"))).grades == ("3",)
    assert summarise_report(extract_facts(text.replace(", WHO grade {}", ""))).grades == ("low",)


def test_gleason_patterns_are_those_of_each_specimen() -> None:
    text = (
        "DIAGNOSIS:\nA. Prostate, left, biopsy: adenocarcinoma, Gleason 3+4=7.\n"
        "B. Prostate, right, biopsy: adenocarcinoma, Gleason 4+4=8, Gleason 4+4=8 in two cores, Gleason 5+4=9 in one."
    )
    assert summarise_report(extract_facts(text)).gleason == ("3+4", "4+4")


def test_residual_tumour_tells_the_margin_where_nothing_else_does() -> None:
    assert summarise_report(extract_facts("Carcinoma, pT2 pN0 L0 V0 R1")).margin == "involved"
    assert summarise_report(extract_facts("Carcinoma, pT2 pN0 L0 V0 R1. Margins free.")).margin == "free"


def test_an_empty_report_has_an_empty_row() -> None:
    summary = summarise_report(extract_facts(""))
    assert not any(getattr(summary, name) for name in summary.__slots__)


def test_categories_of_invasion_are_fields_of_their_own() -> None:
    tokens = {fact.token for fact in list_values(extract_facts("pT2 pN0 L0 V1 Pn1 R0"))}
    assert {"pt:2", "pn:0", "l:0", "v:1", "pni:1", "r:0"} <= tokens
    assert "pn:1" not in tokens
