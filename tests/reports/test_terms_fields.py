"""Grades, stages, measures and stains, on phrases as reports write them; each value with its place."""

from __future__ import annotations

import itertools

import pytest

from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.facts.grades import (
    find_differentiation,
    find_gleason,
    find_grade_groups,
    find_grades,
    find_nottingham,
)
from histoseek.reports.facts.margins import decide_margin, find_margins, find_sizes
from histoseek.reports.facts.nodes import find_node_counts, total_nodes
from histoseek.reports.facts.report_facts import list_values
from histoseek.reports.facts.staging import find_stage_groups, find_tnm
from histoseek.reports.facts.stains import find_stains, select_ki67
from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.language.negation import Status
from histoseek.reports.language.sections import split_sections


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("Gleason's score 7 (3+4)", [(3, 4, 7)]),
        ("Gleason score 4 + 5 = 9", [(4, 5, 9)]),
        ("Gleason 10 (5+5)", [(5, 5, 10)]),
        ("3+4=7 and 4+4=8", [(3, 4, 7), (4, 4, 8)]),
        ("HER2 2+ 3+", []),
        ("Primary Gleason grade: 4\nSecondary Gleason grade: 3", [(4, 3, None)]),
        ("Nottingham 3+2+2=7", []),
    ],
)
def test_gleason_patterns_and_their_sum(text: str, patterns: list[tuple[int, int, int]]) -> None:
    assert [(one.primary, one.secondary, one.stated_score) for one in find_gleason(text)] == patterns


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("Gleason 7", [7]),
        ("Gleason's score of 8.", [8]),
        ("Gleason score: 9/10, involving both lobes", [9]),
        ("Gleason score 7 (3+4)", []),
        ("Gleason score 3 + 4", []),
        ("Gleason grade 3, Gleason pattern 4", []),
    ],
)
def test_gleason_scores_without_patterns(text: str, scores: list[int]) -> None:
    report = extract_facts(text)
    assert [score.value for score in report.gleason_scores] == scores
    assert {f"gleason:{score}" for score in scores} <= {fact.token for fact in list_values(report)}


def test_grade_groups_follow_from_the_patterns() -> None:
    table = {(3, 3): 1, (3, 4): 2, (4, 3): 3, (4, 4): 4, (3, 5): 4, (5, 3): 4, (4, 5): 5, (5, 4): 5, (5, 5): 5}
    for (primary, secondary), group in table.items():
        assert find_gleason(f"Gleason {primary}+{secondary}")[0].grade_group == group


def test_grade_groups_as_written() -> None:
    assert [one.value for one in find_grade_groups("grade group 2; Grade Group: IV; prostatic, ISUP 3")] == [2, 4, 3]
    assert find_grade_groups("Renal cell carcinoma, ISUP grade 3") == ()


@pytest.mark.parametrize(
    ("text", "conflicts"),
    [
        ("Gleason score 7 (3+4), grade group 2", 0),
        ("Gleason score 6 (3+3), grade group 2", 1),
        ("Gleason score 6 (3+4)", 1),
        ("Nottingham grade 2 (3+2+2=7)", 0),
        ("Nottingham grade 3 (tubules 3, nuclei 2, mitoses 2)", 1),
    ],
)
def test_statements_that_cannot_both_hold_are_told(text: str, conflicts: int) -> None:
    assert len(extract_facts(text).conflicts) == conflicts


def test_nottingham_grades_follow_from_the_scores() -> None:
    for scores in itertools.product((1, 2, 3), repeat=3):
        grade = find_nottingham("Tubule formation: {}, Nuclear grade: {}, Mitoses: {}".format(*scores))
        assert grade is not None
        assert (grade.tubules, grade.nuclei, grade.mitoses) == scores
        assert grade.implied_grade == (1 if sum(scores) < 6 else 2 if sum(scores) < 8 else 3)


def test_nottingham_by_its_name() -> None:
    grade = find_nottingham("Nottingham histologic grade II with a total score of 6 out of 9")
    assert grade is not None
    assert (grade.grade, grade.tubules, grade.total, grade.is_consistent) == (2, None, 6, True)
    assert find_nottingham("Nuclear grade: 3") is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("moderately differentiated", ["moderate"]),
        ("Well to moderately differentiated", ["well", "moderate"]),
        ("moderately-to-poorly differentiated", ["moderate", "poor"]),
        ("a moderate level of differentiation", ["moderate"]),
        ("poorly-differentiated", ["poor"]),
        ("squamous differentiation", []),
        ("moderately well differentiated", ["moderate"]),
        ("highly to moderately differentiated", ["well", "moderate"]),
        ("Differentiation: Moderate", ["moderate"]),
        ("mod. diff. adenocarcinoma", ["moderate"]),
        ("no poorly differentiated component", []),
    ],
)
def test_differentiation(text: str, values: list[str]) -> None:
    assert [one.value for one in find_differentiation(text)] == values


@pytest.mark.parametrize(
    ("text", "grades"),
    [
        ("Fuhrman nuclear grade 2 of 4", [("fuhrman", "2")]),
        ("WHO/ISUP grade 3", [("who_isup", "3")]),
        ("WHO grade III", [("who", "3")]),
        ("grade II of IV on the WHO scale", [("who", "2")]),
        ("FIGO grade 1", [("figo", "1")]),
        ("Nuclear grade: Intermediate", [("nuclear", "intermediate")]),
        ("(G2)", [("general", "2")]),
        ("grade II-III", [("general", "2"), ("general", "3")]),
        ("high-grade urothelial carcinoma", [("general", "high")]),
        ("high-grade dysplasia", []),
        ("grade group 2", []),
        ("Gleason grade 3+3", []),
        ("2.5 g 3", []),
        ("high grade\n 2. Cystitis", [("general", "high")]),
        ("Block summary: G1-G4. G2: skin. Cassette G1. G3 - one lymph node; FS G1: negative", []),
        ("(G1) One candidate lymph node, (G2) two lymph nodes", []),
        ("Histologic grade:\nG2: Moderately differentiated", [("general", "2")]),
        ("pT3 pN0 L0 V0; G2", [("general", "2")]),
        ("urothelial carcinoma, G3", [("general", "3")]),
        ("nuclear grade II/III", [("nuclear", "2")]),
        ("oligodendroglioma, WHO grade II / III", [("who", "2"), ("who", "3")]),
        ("adenocarcinoma, II/III", [("general", "2")]),
        ("WHO 3; WHO 2016 classification", [("who", "3")]),
        ("glioma (grade II WHO)", [("who", "2")]),
        ("grade 2-3", [("general", "2"), ("general", "3")]),
        ("Grade 2 of 3", [("general", "2")]),
        ("FNCLCC grade 2", [("fnclcc", "2")]),
        ("Edmondson-Steiner grade III", [("edmondson", "3")]),
        ("Fuhrman nuclear grade:\nNuclear grade ill/IV", [("fuhrman", "3")]),
        ("Histologic grade (if applicable): 3", [("general", "3")]),
        ("High grade (WHO), grade 3 of 4", [("who", "high"), ("who", "3")]),
        ("iron (grade 2 of 4); inflammatory activity, grade 1; Gleason grade 4; no high-grade carcinoma", []),
        ("G1: well differentiated\nG2: moderately differentiated\nG3: poorly differentiated\n", []),
        ("[ ] G1: well differentiated\n[x] G2: moderate\n[ ] G3: poor\n", [("general", "2")]),
    ],
)
def test_numbered_and_named_grades(text: str, grades: list[tuple[str, str]]) -> None:
    assert [(one.scheme, one.value) for one in find_grades(text)] == grades


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("pT2a pN1(sn) cM0", ["T2a", "N1(sn)", "M0"]),
        ("pT1c, pN1mi, pMX", ["T1c", "N1mi", "MX"]),
        ("ypT0 ypN0", ["T0", "N0"]),
        ("pTis", ["Tis"]),
        ("T2 N0 M0", ["T2", "N0", "M0"]),
        ("pt2(m)pn2a(5/15)", ["T2(m)", "N2a"]),
        ("pT2pNo(i+) Mx", ["T2", "N0(i+)", "MX"]),
        ("pT2 pN0 L0 V0 Pn1 R0", ["T2", "N0", "L0", "V0", "Pn1", "R0"]),
        ("PT2 PN0 L0 V0 PN1 R0", ["T2", "N0", "L0", "V0", "Pn1", "R0"]),
        ("pTIc pNia", ["T1c", "N1a"]),
        ("pTl pNO", ["T1", "N0"]),
        ("pT1 b: limited to the kidney", ["T1b"]),
        ("pT1 a tumour of the kidney", ["T1"]),
        ("p T2, p N 0", ["T2", "N0"]),
        ("pT3,N1,MX", ["T3", "N1", "MX"]),
        ("Stage pT2cNOMX", ["T2c", "N0", "MX"]),
        ("(G2, pT3 L1, V0, R0 pN0 0/16)", ["T3", "L1", "V0", "R0", "N0"]),
        ("pTa; pT2a2", ["Ta", "T2a2"]),
        ("Primary Tumor (pT):\npT3\nRegional lymph nodes (pN):\npN1", ["T3", "N1"]),
        ("Primary tumor (T): T3\nRegional lymph nodes (N): N1", ["T3", "N1"]),
        ("pT: 3\npN: 1\npM: X", ["T3", "N1", "MX"]),
        ("8.0 cm x 2.0 cm; 8.0 CM X 2.0 CM", []),
        ("T1: tumour; vertebra T1; T2-weighted, T1 hypointense; L1: node; R1: skin; C1; Stage: T2 block", []),
        ("pT1: up to 2 cm\npT2: up to 4 cm\npT3: larger\n", []),
        ("[ ] pT1: up to 2 cm\n[x] pT2: up to 4 cm\n[ ] pT3: larger\n", ["T2"]),
        ("No carcinoma. pT1 NX MX.\nNo lymphovascular invasion", ["T1", "NX", "MX"]),
        ("Residual tumour (R): R1", ["R1"]),
        ("[ ] IIA T2a N0 M0\n[ ] IIB T2b N0 M0", []),
        ("The status of distant sites cannot be assessed (MX)", ["MX"]),
        ("No regional lymph node metastasis (N0)", ["N0"]),
        ("LYMPH NODES (N):\n-NO METASTATIC CARCINOMA; nodes (No I/VII)", []),
        ("NX MX", ["NX", "MX"]),
        ("T1-weighted; T2; due to no reason; T-cell; case T11-627548; PT 4", []),
    ],
)
def test_tnm_categories(text: str, labels: list[str]) -> None:
    assert [one.label for one in find_tnm(text)] == labels


def test_what_stands_before_a_category_is_kept() -> None:
    tumour, nodes = find_tnm("ypT3 rpN1")
    assert (tumour.basis, tumour.modifiers, nodes.basis, nodes.modifiers) == ("p", "y", "p", "r")
    assert find_tnm("cT2")[0].basis == "c"


def test_stage_groups() -> None:
    found = find_stage_groups("stage IIIA; FIGO stage IB2; Stage: 2; stage of development")
    assert [(one.value, one.figo) for one in found] == [("3A", False), ("1B2", True), ("2", False)]


def test_node_counts() -> None:
    text = "2 of 14 lymph nodes with metastasis. Sentinel nodes (0/3). pN2a(5/15). Grade 2/3. 15/3 nodes."
    assert [(one.positive, one.examined) for one in find_node_counts(text)] == [(2, 14), (0, 3), (5, 15)]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Metastatic carcinoma in two of fourteen nodes.", ["2/14"]),
        ("One of twenty-one lymph nodes (1/21) with metastatic carcinoma.", ["1/21"]),
        ("Nineteen lymph nodes, negative.", ["0/19"]),
        ("Six pericolic lymph nodes, negative for malignancy (0/6).", ["0/6"]),
        ("SIXTEEN (16) LYMPH NODES FREE OF TUMOR.", ["0/16"]),
        ("Two tumour-free lymph nodes. A single lymph node is negative for malignancy.", ["0/2", "0/1"]),
        ("There is no tumour in any of 12 left lymph nodes or 34 right lymph nodes.", ["0/12", "0/34"]),
        ("No extranodal tumour in one of three lymph nodes.", ["1/3"]),
        ("Lymph nodes\nNumber examined: 13\nNumber involved: 0", ["0/13"]),
        ("Number of nodes involved: 2\nNumber of nodes examined: 9", ["2/9"]),
        ("Lymph Nodes:\nNot involved\nNumber of nodes examined: 6", ["0/6"]),
        ("LYMPH NODES, LEFT PELVIC, EXCISION:\n- NO EVIDENCE OF TUMOR (0/4)", ["0/4"]),
        ("-Three lymph nodes, fatty, negative for tumour.", ["0/3"]),
        ("Total nodes: 30\nTotal positive nodes: 0", ["0/30"]),
        ("THE TOTAL NUMBER OF NODES EXAMINED is: 2.\nTHE TOTAL NUMBER OF POSITIVE NODES is: 0.", ["0/2"]),
        ("Lymph nodes: negative; total number of nodes examined: five.", ["0/5"]),
        ("Lymph nodes (positive:total): 5:31", ["5/31"]),
        ("pN0\nNumber of nodes examined: 5\npMX", ["0/5"]),
        ("A total of 18 lymph nodes, all without tumour.", ["0/18"]),
        ("Metastatic carcinoma involving all five lymph nodes.", ["5/5"]),
        ("Number of lymph nodes: 10\nNumber involved: 0", ["0/10"]),
        ("Page 1 of 2. Lymph nodes: four candidates, one bisected. Grade 2/3. Three lymph nodes are identified.", []),
        ("Number of lymph nodes examined: 3\nNumber of lymph nodes involved: 8", []),
    ],
)
def test_node_counts_in_words_and_fields(text: str, labels: list[str]) -> None:
    assert [count.label for count in find_node_counts(text)] == labels


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("DIAGNOSIS:\nA. Left neck, excision: 0/5 nodes.\nB. Right neck, excision: 2/8 nodes.", "2/13"),
        ("DIAGNOSIS:\nA. Left neck, excision: 0/5 nodes.\nMICROSCOPIC DESCRIPTION:\nNone of five nodes.", "0/5"),
        ("DIAGNOSIS:\nSix nodes (0/6). Three nodes, negative (0/3).\nLymph nodes: 0/9 positive.", "0/9"),
        ("DIAGNOSIS:\nTwo nodes (0/2), three nodes (0/3). pN1 (1/30)", "1/30"),
        ("DIAGNOSIS:\nNo nodes received.", None),
    ],
)
def test_the_total_of_nodes_is_stated_or_added_up_once(text: str, label: str | None) -> None:
    total = total_nodes(find_node_counts(text), split_sections(text))
    assert (total.label if total else None) == label


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("2.2 x 1.9 x 1.6 cm", [(22, 19, 16)]),
        ("2.2 cm x 19 mm", [(22, 19)]),
        ("measuring 0,4 cm and 5mm", [(4,), (5,)]),
        ("3 mitoses/mm2, 5 mm2, 7 cases", []),
    ],
)
def test_sizes_are_in_millimetres(text: str, lengths: list[tuple[float, ...]]) -> None:
    assert [one.dimensions_mm for one in find_sizes(text)] == lengths


@pytest.mark.parametrize(
    ("text", "status", "distance_mm"),
    [
        ("Margins free, closest 4 mm.", "free", 4),
        ("The margins are not free.", "involved", None),
        ("Radical prostatectomy, 3 cm tumour, margins positive at the apex.", "involved", None),
        ("Tumour is 0.3 cm from the nearest resection margin.", None, 3),
        ("Close margin.", "close", None),
        ("No tumour at the resection margins.", "free", None),
    ],
)
def test_margins(text: str, status: str | None, distance_mm: float | None) -> None:
    (margin,) = find_margins(text)
    assert (margin.status, margin.distance_mm) == (status, distance_mm)


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("Margins:\nParenchymal margin:\nUninvolved by invasive carcinoma", ["free"]),
        ("Surgical margins:\nFree of tumour\nLymph nodes: positive", ["free"]),
        ("Soft tissue margin:\nPositive (E6)", ["involved"]),
        ("Tumour-free oral and aboral resection margins, one positive lymph node.", ["free"]),
        ("Tumour is present at the deep medial soft tissue margin.", ["involved"]),
        ("Carcinoma extends to the inked margin.", ["involved"]),
        ("The tumour does not extend to the margins.", ["free"]),
        ("Margins involved by carcinoma: none.", ["free"]),
        ("Margins involvement: Yes", ["involved"]),
        ("All margins are negative except the deep one, which is involved by carcinoma.", ["free", "involved"]),
        ("Resection margin: very close to the tumour", ["close"]),
        ("Negative but very close margin.", ["free"]),
        ("B. Deep margin, biopsy:\nNo tumour present.", ["free"]),
        ("B. Deep margin, biopsy:\nInvasive squamous cell carcinoma.", ["involved"]),
        ("[ ] Margins involved by tumour\n[x] Margins uninvolved by tumour", ["free"]),
        ("Ureter involved by carcinoma but with negative margin.", ["free"]),
        ("Colon with a carcinoma, 8 cm from the resection margin.", [None]),
        ("Apical margin: carcinoma extends to within 1 mm of the ink.", [None]),
        ("Summary of sections: A1, representative sections of tumour in the deep margin.", []),
        ("Margins: not specified", []),
        ("Margins cannot be assessed.", []),
        ("Focal moderate dysplasia at the margin.", []),
        ("A5 - tumour at the inked margin", []),
        ("Carcinoma reaches to within 8 cm of the margin.", [None]),
    ],
)
def test_the_many_ways_to_speak_of_margins(text: str, statuses: list[str | None]) -> None:
    assert [margin.status for margin in find_margins(text)] == statuses


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("DIAGNOSIS:\nMargins negative.", ("free", "free")),
        ("DIAGNOSIS:\nUreteral margin: negative.\nSoft tissue margin: positive.", ("involved", "involved")),
        ("DIAGNOSIS:\nA. Tongue: tumour at the deep margin.\nB. Final deep margin: no tumour.", ("mixed", "free")),
        ("DIAGNOSIS:\nA. Tongue: tumour at the deep margin.\nB. Deep margin, biopsy:\nNo tumour.", ("mixed", "free")),
        (
            "DIAGNOSIS:\nA. Pancreas: uncinate margin positive.\nB. Neck margin, biopsy:\nNo tumour.",
            ("involved", "involved"),
        ),
        ("DIAGNOSIS:\nA. Deep margin: negative.\nB. New margin, biopsy: carcinoma.", ("involved", "involved")),
        ("DIAGNOSIS:\nMargins free.\nGROSS DESCRIPTION:\nThe tumour reaches the margin.", ("free", "free")),
        ("DIAGNOSIS:\nAdenocarcinoma.", ("", "")),
    ],
)
def test_the_margin_that_was_cut_last_decides(text: str, outcome: tuple[str, str]) -> None:
    assert decide_margin(find_margins(text), split_sections(text)) == outcome


def test_the_distance_of_a_margin_is_no_size() -> None:
    assert [one.largest_mm for one in find_sizes("Tumour 21 mm, 3 mm from the margin.")] == [21]
    assert find_margins("Pushing margins. A tumour margin.") == ()


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("ER: positive (90%), PR: negative", {"ER": "positive", "PR": "negative"}),
        ("positive estrogen receptor, negative her2", {"ER": "positive", "HER2": "negative"}),
        ("CK7+, CK20-, TTF-1 negative", {"CK7": "positive", "CK20": "negative", "TTF-1": "negative"}),
        ("Positive: p16, E-cadherin", {"p16": "positive", "E-cadherin": "positive"}),
        ("positive for CK5,6,14 and p63", {"CK5/6": "positive", "CK14": "positive", "p63": "positive"}),
        ("MLH1 loss, MSH2 and MSH6 retained", {"MLH1": "lost", "MSH2": "retained", "MSH6": "retained"}),
        ("positive for CK7, negative for p40 and CK5/6", {"CK7": "positive", "p40": "negative", "CK5/6": "negative"}),
        ("ER positive HER2 negative", {"ER": "positive", "HER2": "negative"}),
        ("ER+ PR+ HER2-", {"ER": "positive", "PR": "positive", "HER2": "negative"}),
        ("positive ER negative HER2", {"ER": "positive", "HER2": "negative"}),
        ("ER and PR were ordered", {}),
    ],
)
def test_stains(text: str, results: dict[str, str]) -> None:
    assert {one.marker: one.result for one in find_stains(text)} == results


def test_scores_and_percentages_of_stains() -> None:
    (her2,) = find_stains("HER2/neu: equivocal (2+)")
    assert (her2.result, her2.score) == ("equivocal", "2+")
    (receptor,) = find_stains("PR 10-20% positive")
    assert (receptor.low_percent, receptor.high_percent) == (10, 20)


def test_results_go_on_over_lines_that_begin_in_lower_case() -> None:
    text = "The MIB-1 proliferation index is\nhigh at\nabout 35%.\nER: positive\nPR: negative"
    stains = [(stain.marker, stain.result, stain.low_percent) for stain in find_stains(text)]
    assert stains == [("Ki-67", None, 35), ("ER", "positive", None), ("PR", "negative", None)]


@pytest.mark.parametrize(
    ("text", "ends"), [("Ki-67: 15-20 %", (15, 20)), ("MIB-1 < 5%", (0, 5)), ("Ki67 index 12%", (12, 12))]
)
def test_ki67_with_its_range(text: str, ends: tuple[float, float]) -> None:
    (index,) = select_ki67(find_stains(text))
    assert (index.low_percent, index.high_percent) == ends


def test_a_report_as_fields() -> None:
    text = (
        "Left breast, core-needle biopsy;\n 1. Invasive lobular carcinoma, 12 mm, ER 95 % positive\n"
        " 2. Fibroadenoma\nNo ductal carcinoma in situ. History of melanoma. Suspicious for lymphovascular invasion."
    )
    report = extract_facts(text)
    assert report.organ == "breast"
    assert report.concepts("diagnosis") == ("invasive-lobular-carcinoma", "fibroadenoma")
    assert report.concepts("diagnosis", Status.NEGATED) == ("ductal-carcinoma-in-situ",)
    assert report.concepts("diagnosis", Status.HISTORICAL) == ("melanoma",)
    assert report.concepts("finding", Status.UNCERTAIN) == ("lymphovascular-invasion",)
    assert report.concepts("laterality") == ("left",)
    assert report.concepts("procedure") == ("core-needle-biopsy",)
    size = report.sizes[0].span
    assert text[size.start : size.end] == "12 mm"


def test_the_label_of_a_report_is_that_of_its_gravest_diagnosis() -> None:
    report = extract_facts("Fibroadenoma. Ductal carcinoma in situ. Acinar adenocarcinoma of the prostate.")
    labels = [report.make_label(level) for level in range(7)]
    assert labels[:4] == ["neoplasm", "malignant-neoplasm", "carcinoma", "adenocarcinoma"]
    assert labels[-1] == "acinar-adenocarcinoma-of-prostate"
    assert extract_facts("Breast, biopsy").make_label(2) == ""


def test_every_diagnosis_has_a_label_at_every_level_that_stands_above_it() -> None:
    vocabulary = load_vocabulary()
    for concept in vocabulary.concepts.values():
        if concept.kind == "diagnosis":
            for level in range(3):
                label = extract_facts(concept.name).make_label(level)
                assert label in vocabulary.find_ancestors(concept.id) | {concept.id}


def test_the_organ_is_where_the_specimen_comes_from() -> None:
    assert extract_facts("Lung, biopsy; Metastatic carcinoma, from breast primary").organ == "lung"
    assert extract_facts("Metastatic colonic adenocarcinoma in the liver; liver parenchyma").organ == "liver"
    assert extract_facts("The diagnosis is hepatocellular carcinoma.").organ == "liver"
    assert extract_facts("Clinical: lung nodule\nType of Material: Bone\nCarcinoma").organ == "bone"
    assert extract_facts("Adenocarcinoma").organ == ""
    several = (
        "DIAGNOSIS:\nLIVER (RESECTION): HEPATOCELLULAR CARCINOMA\nGALLBLADDER: MILD CHRONIC CHOLECYSTITIS\nSPECIMEN:\n"
    )
    assert extract_facts(f"{several}GALLBLADDER, PORTION OF LIVER").organ == "liver"


def test_an_empty_text_has_empty_fields() -> None:
    report = extract_facts("")
    assert (report.mentions, report.organ, report.sizes, report.nottingham) == ((), "", (), None)
