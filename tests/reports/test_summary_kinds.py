"""Counts of nodes, margins, grades and findings, as reports of many hospitals word them."""

from __future__ import annotations

import pytest

from histoseek.reports.facts.grades import find_differentiation, find_grades
from histoseek.reports.facts.margins import decide_margin, find_margins
from histoseek.reports.facts.nodes import find_node_counts
from histoseek.reports.facts.staging import find_tnm
from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.facts.summary import ReportSummary, summarise_report
from histoseek.reports.language.sections import split_sections


def summarise(text: str) -> ReportSummary:
    return summarise_report(extract_facts(text))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Lymph nodes, left, excision: No evidence of malignancy (5/5).", ["0/5"]),
        ("Metastatic carcinoma in lymph nodes (5/5).", ["5/5"]),
        ("Multiple (3 of 17) regional\nlymph nodes are positive for carcinoma.", ["3/17"]),
        ("Left lymphadenectomy:\nFree of neoplasia (0/9).", ["0/9"]),
        ("Nine benign lymph nodes (019).", ["0/9"]),
        ("Lymph nodes, iliac: negative for metastasis (0!7).", ["0/7"]),
        ("No evidence of metastatic disease in'ten lymph nodes.", ["0/10"]),
        ("Twelve lymph nodes, negative (0/5 submental (level 1); 0/7 midjugular\n(level 3)).", ["0/5", "0/7"]),
        ("Tissue with seven (7) lymph nodes up to 0.8 cm; two of them with metastasis of the carcinoma.", ["2/7"]),
        ("Tissue with six lymph nodes, the largest of which shows metastatic carcinoma.", ["1/6"]),
        ("A single lymph node extensively involved with tumour is seen.", ["1/1"]),
        ("One lymph node, positive for metastatic carcinoma.", ["1/1"]),
        ("LYMPH NODES: NtMBER WITH METASTASES: 2; NUMBER EXANINED: 19.", ["2/19"]),
    ],
)
def test_nodes_are_counted_as_they_are_worded(text: str, labels: list[str]) -> None:
    counts = [count.label for count in find_node_counts(text)]
    assert [label for label in labels if label not in counts] == []


@pytest.mark.parametrize(
    "text",
    [
        "C. Lymph node, left: not sampled. Prostate: adenocarcinoma, Gleason grade 4 + 3 (7/10).",
        "Lymph nodes: none. Gleason 3+4, sum 7/10.",
        "Level 4 contains 5 possible lymph nodes, the largest of which is grossly involved by tumor.",
        "One lymph node candidate with tumor is submitted.",
        "One lymph node with no carcinoma is not what is counted here.",
        "One lymph node around tumor area is submitted.",
        "Many lymph nodes are seen. Of these, one lymph node shows metastatic carcinoma.",
        "Page (015).",
    ],
)
def test_other_numbers_are_no_counts_with_tumour(text: str) -> None:
    assert not [count for count in find_node_counts(text) if count.positive or count.examined in {5, 10, 15}]


def test_a_running_total_counts_once() -> None:
    text = (
        "DIAGNOSIS:\nA. Right pelvic lymph nodes: one of five lymph nodes with carcinoma (1/5).\n"
        "B. Left pelvic lymph nodes: two of ten lymph nodes with carcinoma (2/10).\n"
        "C. Bladder: urothelial carcinoma.\nLymph nodes: positive (3/15).\n"
        "Negative nodes for prostate carcinoma (0/15)."
    )
    assert summarise(text).node_total == "3/15"
    assert summarise(text.replace("3/15", "3/4").replace("(0/15)", "(0/6)")).node_total != "3/4"


def test_a_count_amid_others_is_no_total() -> None:
    text = "DIAGNOSIS:\nA. Two lymph nodes (0/2).\nB. One lymph node (0/1).\nC. Four lymph nodes (0/4).\n"
    text += "D. One lymph node (0/1)."
    assert summarise(text).node_total == "0/8"


def test_equal_counts_of_other_regions_are_added() -> None:
    text = (
        "DIAGNOSIS:\nLEFT EXTERNAL ILIAC LYMPH NODES:\nNo metastasis in six lymph nodes (0/6)\n"
        "RIGHT OBTURATOR LYMPH NODES:\nNo metastasis in six lymph nodes (0/6)\n"
    )
    assert summarise(text).node_total == "0/12"
    assert summarise(text.replace("RIGHT OBTURATOR", "LEFT EXTERNAL ILIAC")).node_total == "0/6"


def test_the_total_of_a_first_specimen_is_its_own() -> None:
    text = (
        "DIAGNOSIS:\n1. Colon, resection: adenocarcinoma.\nNumber with metastasis: 1\n"
        "Total number of nodes examined: 17\n"
        "2. Lymph node, hepatic, excision: one benign lymph node (0/1).\n"
    )
    assert summarise(text).node_total == "1/18"


def test_part_of_the_nodes_that_are_counted_adds_nothing() -> None:
    text = (
        "DIAGNOSIS:\nA. Lymph node, hepatic artery: one lymph node (1 of 1) with carcinoma.\n"
        "B. Pancreas: carcinoma. Four of 18 lymph nodes are positive, including a hepatic node (see part A)."
    )
    assert summarise(text).node_total == "4/18"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Surgical margins:\nUreter, left: Negative\nUreter, right: Negative\nLymph nodes: none", "free"),
        (
            "Surgical margins:\nRenal vein: not involved\nUreter: not submitted\nPerirenal fat: grossly negative\n",
            "free",
        ),
        ("Surgical margins:\nRenal vein: involved\nUreter: not involved\n", "involved"),
        ("Surgical margin status:\n1. Inked soft tissue and serosal aspects negative for tumor.\n", "free"),
        ("Vaginal cuff margin, radical hysterectomy:\n- No evidence of malignancy\n", "free"),
        ("The right ureteral margin is compromised by neoplasia.", "involved"),
        ("Margins: negative. Margin of benign glands: benign glands present at inked margins.", "free"),
        ("Surgical margins:\nPancreas: Free of neoplasm\nAngiolymphatic spread: yes", "free"),
        ("Margins:\nLymph nodes: negative\n", ""),
        ("The bile duct margin is involved by carcinoma. The final neck margin is negative.", "involved"),
        ("The neck margin is involved by carcinoma. The final neck margin is negative.", "mixed"),
    ],
)
def test_margins_of_sites_below_a_heading(text: str, status: str) -> None:
    assert decide_margin(find_margins(text), split_sections(text))[0] == status


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("The NUCLEAR GRADE of the tumor is:\n3 (Poorly-differentiated)", ["3"]),
        ("Histologic grade .11, moderately differentiated.", ["2"]),
        ("HISTOLOGIC GRADE:\n01: Well differentiated", ["1"]),
        ("1) Cervix: squamous cell carcinoma, G2.\n2) Endometrium: hyperplasia.", ["2"]),
        ("Diffuse astrocytoma (WHO-II)", ["2"]),
        ("Adjacent to the tumour high grade\nPan1N is identified.", []),
        ("Glioma, probably high grade?", []),
        ("Grade 11 mm from the edge", []),
    ],
)
def test_grades_as_they_are_written(text: str, values: list[str]) -> None:
    assert [grade.value for grade in find_grades(text)] == values


def test_differentiation_behind_a_label_of_grade() -> None:
    assert [level.value for level in find_differentiation("Histologic Grade :Moderately to poorly\nPolyp: no")] == [
        "moderate",
        "poor",
    ]
    assert [level.value for level in find_differentiation("Carcinoma, moderately\ndifferentiate -")] == ["moderate"]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("pTNM stage: pT1 b2NO (FIGO)", ["T1b2", "N0"]),
        ("Stage (T1 b/N 1 /MX)", ["T1b", "N1", "MX"]),
        ("Carcinoma, stpT4, pN2, pMx", ["T4", "N2", "MX"]),
        ("Ll, YO, RI, pNO (0/8)", ["L1", "V0", "R1", "N0"]),
        ("Lymph node stage (AJCC 7th edition):\nNl (metastasis)", ["N1"]),
        ("pT3bNOMXRI", ["T3b", "N0", "MX", "R1"]),
        ("Thickness (pT1 and pT2 tumors):\npT2: more than 2 cm", ["T2"]),
        ("Copy to:\npT1 tumor", ["T1"]),
        ("pT3. Microscopic description", ["T3"]),
        ("pT3 N0 MX\nCLINICAL HISTORY:", ["T3", "N0", "MX"]),
        ("cT1 cN0", ["T1", "N0"]),
    ],
)
def test_categories_through_blanks_and_scanners(text: str, labels: list[str]) -> None:
    assert [category.label for category in find_tnm(text)] == labels


def test_necrosis_that_a_test_cannot_cope_with_is_none_of_the_case() -> None:
    text = "COMMENT:\nNo necrosis is seen.\nFactors such as extensive tissue necrosis may preclude detection."
    assert summarise(text).necrosis == "absent"


def test_necrosis_of_a_mass_described_in_the_sentence_before() -> None:
    text = "DIAGNOSIS:\nHepatocellular carcinoma.\nGROSS DESCRIPTION:\nThere is a large mass. {} focally necrotic."
    assert summarise(text.format("Sections are friable,")).necrosis == "present"
    assert summarise(text.format("The remaining parenchyma is")).necrosis == ""


def test_a_label_that_begins_on_the_line_before() -> None:
    text = "Diagnosis Details: Extent: less than 4 cm, Venous\nInvasion: Absent, Margins: Absent"
    assert summarise(text).lymphovascular == "absent"


def test_a_grade_of_the_history_is_none_of_a_prostate_that_was_graded_by_patterns() -> None:
    text = "DIAGNOSIS:\nProstate: adenocarcinoma, Gleason 5+4=9.\nCLINICAL HISTORY:\nProstate cancer, grade 4-5."
    assert summarise(text).grades == ()


def test_margins_are_what_the_microscope_saw() -> None:
    scan = "CLINICAL HISTORY:\nThe mass extends to the margin of the cavity.\n"
    gross = "GROSS DESCRIPTION:\nNo tumor is seen at the resection margin.\n"
    assert summarise(f"DIAGNOSIS:\nColon, resection: adenocarcinoma.\n{scan}{gross}").margin == ""
    assert summarise(f"DIAGNOSIS:\nColon, resection: adenocarcinoma; margins involved.\n{gross}").margin == "involved"
