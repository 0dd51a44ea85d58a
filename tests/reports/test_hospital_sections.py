"""Sections and specimens as hospitals write them: OCR, forms, administration, lists in lists. All texts are made up."""

from __future__ import annotations

import pytest

from histoseek.reports.language.headings import load_headings
from histoseek.reports.language.sections import Sections, split_sections
from histoseek.reports.language.words import Span


def names(text: str) -> list[str]:
    return [section.name for section in split_sections(text).sections]


def section_of(text: str, words: str) -> str:
    start = text.index(words)
    return split_sections(text).find(Span(start, start + len(words))).name


def specimen_of(report: Sections, words: str) -> str | None:
    start = report.text.index(words)
    return report.find(Span(start, start + len(words))).specimen


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("GROSS EXANINATION:", "gross"),
        ("MICROSCOPIC DESCRIPTI0N", "microscopy"),
        ("MlCROSCOPlC FINDINGS:", "microscopy"),
        ("Fmal Diagnosis:", "diagnosis"),
        ("DIAGN0SIS:", "diagnosis"),
        ("COM~IENT:", "comment"),
        ("C OMMENT:", "comment"),
        ("CLINICALHISTORY:", "history"),
        ("ADDENDUM 1:", "addendum"),
        ("ADDENDUN:", "addendum"),
        ("Diagnosis Details :", "diagnosis"),
        ("*** Diagnosis / Diagnoses: ***", "diagnosis"),
        ("Clinical Diagnosis & History:", "history"),
        ("Pre-op dx:", "history"),
        ("Intraoperative Consult Diagnosis", "frozen"),
        ("INTRA OPERATIVE CONSULTATION:", "frozen"),
        ("SYNOPTIC DATA - PRIMARY SPLEEN TUMORS", "diagnosis"),
        ("SPLEEN TISSUE CHECKLIST", "diagnosis"),
        ("M1kroskopischer Befund:", "microscopy"),
        ("Gross Description;", "gross"),
        ("D I A G N O S I S", "diagnosis"),
        ("Final Diagnosis \u2022 \u2022 \u2022", "diagnosis"),
        ("Histooathological diagnosis", "diagnosis"),
        ("Clinical History-,", "history"),
        ("inical History:", "history"),
        ("Clinical History as given by the surgeon:", "history"),
        ("DIAGNOSIS BASED ON GROSS AND MICROSCOPIC EXAMINATION:", "diagnosis"),
        ("GROSS DESCRIPTION     Received fresh.", "gross"),
        ("DIAGNOSIS (A) SPLEEN:", "diagnosis"),
        ("Gross Description received in one part", "gross"),
    ],
)
def test_headings_through_ocr_and_in_other_words(heading: str, name: str) -> None:
    assert {section.name for section in split_sections(f"{heading}\nSome text here.").sections} == {name}


@pytest.mark.parametrize(
    "line",
    [
        *("Expression: strong", "Induration: present", "Mammary: left", "Compression: slight", "Inclusion: none"),
        *("Staging: see below", "See comment", "- SEE SYNOPTIC REPORT", "Grass", "Tumor size: 3 cm", "Occlusion: none"),
    ],
)
def test_words_that_are_near_to_a_heading_and_are_none(line: str) -> None:
    assert names(f"MICROSCOPY:\nGlands.\n{line}\nmore") == ["microscopy"]


def test_every_lookalike_is_no_heading() -> None:
    words = load_headings()
    assert [word for word in words.lookalikes if words.find_mended_section(word)] == []


@pytest.mark.parametrize(
    "line",
    [
        *("SURGICAL PATHOLOGY REPORT", "Accession number: S-1", "Date of Report:", "Pathologist: A. Nemo", "Patient:"),
        *("Additional Copy to:", "Date Received: today", "Case is (circle):", "IIII 1111 III II 1111", "Billing Type:"),
    ],
)
def test_administration_ends_no_diagnosis_and_hides_none(line: str) -> None:
    inside = f"DIAGNOSIS:\nSpleen, excision:\n{line}\nHamartoma.\nGROSS:\nRed."
    assert section_of(inside, "Hamartoma") == "diagnosis"
    before = f"{line}\nSpleen, excision:\nCapillary haemangioma.\nGROSS:\nRed."
    assert section_of(before, "Capillary") == "diagnosis"


def test_a_diagnosis_behind_the_list_of_specimens() -> None:
    text = "SPECIMENS:\nA. Spleen\n\nSpleen, splenectomy: malignant lymphoma.\nGROSS:\nRed."
    assert section_of(text, "malignant lymphoma") == "diagnosis"


def test_a_diagnosis_without_any_heading() -> None:
    text = "Resected spleen with a malignant lymphoma and free margins."
    assert names(text) == ["diagnosis"]
    form = "SPECIMEN: Spleen\nTUMOR SITE: hilum\nHISTOLOGIC TYPE: Large cell lymphoma\nGRADE: high"
    assert section_of(form, "Large cell") == "diagnosis"
    assert names("A fever without cause.\nHistory of lymphoma.") == ["other"]
    assert names("The clinic called about the parking lot.") == ["other"]


def test_headings_behind_a_gap() -> None:
    text = "DIAGNOSIS:\nLymphoma.\nFile under: Somewhere   GROSS DESCRIPTION\nA red mass.  Clinical History:  Fever."
    assert section_of(text, "red mass") == "gross"
    assert section_of(text, "Fever") == "history"


def test_headings_broken_over_two_lines() -> None:
    text = "PRE-OP/POST-OP\nDIAGNOSIS: Splenomegaly.\nFINAL DIAGNOSIS:\nLymphoma."
    assert section_of(text, "Splenomegaly") == "history"
    assert section_of(text, "Lymphoma") == "diagnosis"


@pytest.mark.parametrize("above", ["LYMPHOMA. SEE", "Confirmed by special stains and the", "LYMPHOMA, LARGE CELL"])
def test_the_end_of_a_sentence_is_no_heading(above: str) -> None:
    assert names(f"DIAGNOSIS:\n{above}\nCOMMENT.\nNo necrosis.") == ["diagnosis"]
    assert names(f"DIAGNOSIS:\n{above} seen.\nCOMMENT\nNo necrosis.") == ["diagnosis", "comment"]


def test_the_result_of_an_assay_is_no_diagnosis() -> None:
    assert names("(FISH) RESULT:\nNo deletion.\nINTERPRETATION:\nNormal.") == ["ancillary"]


def test_rows_of_a_synoptic_form_stay_in_it() -> None:
    text = (
        "DIAGNOSIS:\nLymphoma.\nSpecimen Type\nSplenectomy\nProcedure:\nOpen\nHistology: large cell\nNecrosis: absent"
    )
    assert names(text) == ["diagnosis"]


def test_the_diagnosis_of_an_addendum_belongs_to_it() -> None:
    text = "SUPPLEMENTAL REPORT\nDIAGNOSIS:\nBone free.\nFINAL DIAGNOSIS:\nLymphoma."
    assert section_of(text, "Bone free") == "addendum"
    assert section_of(text, "Lymphoma") == "diagnosis"
    assert section_of("ADDENDUM:\nFISH was done.\nInterpretation: negative.", "negative") == "addendum"


PARTS = """FINAL DIAGNOSIS:
PART 1: SPLEEN, SPLENECTOMY -
A. LARGE CELL LYMPHOMA.
B. MARGINS ARE FREE.  PART 2: LYMPH NODES, LEVEL 2, DISSECTION
A. TWO LYMPH NODES.
B. LEFT OVARY WITH A CYST.
GROSS DESCRIPTION:
Part 1 is received fresh and is red.
Summary of sections:
A: red area
B: capsule
Part 2 is labeled "nodes".
MICROSCOPIC:
1. The spleen is effaced.
2. The nodes are not.
"""


def test_letters_under_a_part_are_items_of_its_list() -> None:
    report = split_sections(PARTS)
    assert report.specimens == ("1", "2")
    places = {"MARGINS": "1", "LEFT OVARY": "2", "red area": "1", "capsule": "1", "effaced": "1", "are not": "2"}
    assert {words: specimen_of(report, words) for words in places} == places
    assert {section.name for section in report.select_specimen("2")} == {"diagnosis", "gross", "microscopy"}


@pytest.mark.parametrize(
    ("lines", "labels"),
    [
        ("SPECIMEN A: Spleen\nSPECIMEN B: Node", ["A", "B"]),
        ("Specimen #1: Spleen\nSpecimen #2: Node", ["1", "2"]),
        ("(A) SPLEEN, EXCISION:\nLymphoma.\n(B) NODE, BIOPSY:\nNone.", ["A", "B"]),
        ("1) Spleen, splenectomy: lymphoma.\n2) Node, excision: none.\n3) Fat: none.", ["1", "2", "3"]),
        ("1.Spleen, right, resection: x\n2.Node, hilar, resection: y", ["1", "2"]),
        ("1-3. SOFT TISSUE, LEFT, BIOPSIES:\nNone.\n4. APPENDIX, APPENDECTOMY:\nNone.", ["1", "2", "3", "4"]),
        ("A-C. Lymph nodes, excision:\nNone.\nD. Spleen, biopsy:\nNone.", ["A", "B", "C", "D"]),
        ("A. AND B. SPLEEN, BIOPSY:\nLymphoma.\nC. NODE, BIOPSY:\nNone.", ["A", "B", "C"]),
        ("1. Tumor type: lymphoma\n2. Tumor size: 2 cm\n3. Margins: free", []),
        (
            "A. SPLEEN, EXCISION:\nx\nB. NODE, EXCISION:\ny\n1. Grade: 2\n2. Ureteral margin: free\n3. Nodes: free",
            ["A", "B"],
        ),
        ("1. Spleen size: 9 cm\n2. Capsular involvement: no\n3. Necrosis: present", []),
        ("A. THE LYMPHOMA INVOLVES THE SPLEEN.\nB. THE NODES ARE FREE.", []),
        ("SPECIMENS:\nSpleen F/S", []),
        ("PART 1: SPLEEN, SPLENECTOMY AND FROZEN SECTION\nx\nPART 2: NODE\ny", ["1", "2"]),
        ("Spleen, needle biopsy;\n1. Red pulp lesion\n2. Capsular cyst", []),
        ("1. Spleen with a lymphoma\n2. Lymph nodes without tumor", ["1", "2"]),
        ("A. LYMPHOMA OF THE SPLEEN.\nB. NO NECROSIS.\nC. MARGINS FREE.", []),
        ("Spleen:\n1. Lymphoma.\n2. Fibrosis.", []),
        ("Blocks:\nA1-A3: tumor\nA4: capsule\nB1: fat", []),
    ],
)
def test_labels_of_specimens_and_of_other_things(lines: str, labels: list[str]) -> None:
    assert list(split_sections(f"DIAGNOSIS:\n{lines}").specimens) == labels


def test_a_note_ends_where_the_next_specimen_begins() -> None:
    text = "DIAGNOSIS:\n1. Spleen, excision:\nLymphoma.\nComment: Rare.\n2. Node, excision:\nNo tumor.\nCOMMENT:\nNone."
    assert section_of(text, "Rare") == "comment"
    assert section_of(text, "No tumor") == "diagnosis"
    assert split_sections(text).sections[-1].name == "comment"


def test_a_gross_description_that_lost_its_heading() -> None:
    text = (
        "DIAGNOSIS:\nA. Spleen, excision:\nLymphoma.\nCOMMENT:\nRare.\n"
        "A. SPLEEN\nLabeled with the name and received fresh is a specimen of 9 x 4 x 3 cm."
    )
    assert section_of(text, "received fresh") == "gross"
