"""What a case is: its main diagnosis and organ, by section, specimen and the words beside a name."""

from __future__ import annotations

import pytest

from histoseek.reports.concepts.readings import load_readings
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.language.negation import Status


@pytest.mark.parametrize(
    ("text", "organ", "diagnosis"),
    [
        ("DIAGNOSIS:\nPancreas, resection: invasive ductal carcinoma.", "pancreas", "pancreatic-ductal-adenocarcinoma"),
        ("DIAGNOSIS:\nBreast, excision: invasive ductal carcinoma.", "breast", "invasive-carcinoma-nst"),
        ("DIAGNOSIS:\nColon, resection: adenocarcinoma.", "colon", "colorectal-adenocarcinoma"),
        (
            "DIAGNOSIS:\nKidney, nephrectomy: Renal cell carcinoma, conventional (clear cell) type.",
            "kidney",
            "clear-cell-renal-cell-carcinoma",
        ),
        ("DIAGNOSIS:\nBrain, excision: oligodendroglioma, anaplastic.", "brain", "anaplastic-oligodendroglioma"),
        (
            "DIAGNOSIS:\nA. Lymph nodes, pelvic, excision: metastatic urothelial carcinoma.\n"
            "B. Bladder, prostate, cystectomy: invasive urothelial carcinoma.",
            "bladder",
            "invasive-urothelial-carcinoma",
        ),
        (
            "DIAGNOSIS:\nA. Gallbladder, excision: cholelithiasis.\nB. Liver, excision: hepatocellular carcinoma.",
            "liver",
            "hepatocellular-carcinoma",
        ),
        (
            "FROZEN SECTION DIAGNOSIS:\nAstrocytoma.\nFINAL DIAGNOSIS:\nBrain, biopsy: glioblastoma.",
            "brain",
            "glioblastoma",
        ),
        ("DIAGNOSIS:\nTotal laryngectomy: squamous cell carcinoma.", "larynx", "laryngeal-squamous-cell-carcinoma"),
        (
            "DIAGNOSIS:\nUterus and cervix, excision: squamous cell carcinoma.",
            "cervix",
            "cervical-squamous-cell-carcinoma",
        ),
        ("DIAGNOSIS:\nNo tumour seen.", "", ""),
    ],
)
def test_organ_and_main_diagnosis(text: str, organ: str, diagnosis: str) -> None:
    report = extract_facts(text)
    assert (report.organ, report.diagnosis) == (organ, diagnosis)


def test_a_diagnosis_of_the_history_is_past() -> None:
    report = extract_facts("CLINICAL HISTORY:\nLung cancer, melanoma.\nDIAGNOSIS:\nLung, biopsy: organizing pneumonia.")
    assert report.concepts("diagnosis") == ("organizing-pneumonia",)
    assert set(report.concepts("diagnosis", Status.HISTORICAL)) == {"lung-carcinoma", "melanoma"}


def test_a_first_impression_gives_way_unless_it_lasts() -> None:
    frozen = "FROZEN SECTION DIAGNOSIS:\n{}.\nFINAL DIAGNOSIS:\nOvary, excision: serous carcinoma."
    assert extract_facts(frozen.format("Sarcoma")).concepts("diagnosis", Status.UNCERTAIN) == ("sarcoma",)
    assert extract_facts(frozen.format("Carcinoma")).concepts("diagnosis", Status.UNCERTAIN) == ()


def test_a_forms_list_of_tumours_is_no_diagnosis() -> None:
    diagnosis = "DIAGNOSIS:\nColon, resection: mucinous adenocarcinoma.\n"
    form = "Histologic type\n4. Adenosquamous carcinoma\n5. Small cell carcinoma\n6. Lymphoma\n"
    listed = extract_facts(diagnosis + form)
    assert listed.concepts("diagnosis") == ("mucinous-adenocarcinoma",)
    two = "DIAGNOSIS:\n1. Squamous cell carcinoma\n2. Hyperplastic polyp\n3. Chronic appendicitis\n4. Lymphoma"
    assert set(extract_facts(two).concepts("diagnosis")) >= {"squamous-cell-carcinoma", "lymphoma"}


def test_without_a_diagnosis_section_what_stands_below_the_history_counts() -> None:
    alone = extract_facts("Clinical history: melanoma of the skin.")
    assert alone.concepts("diagnosis") == () and alone.concepts("diagnosis", Status.HISTORICAL) == ("melanoma",)
    below = extract_facts("Clinical history: a mole that grew.\nMelanoma of the skin.")
    assert below.concepts("diagnosis") == ("melanoma",)
    before = extract_facts("Preoperative diagnosis: melanoma of the skin.")
    assert before.concepts("diagnosis") == ("melanoma",)


@pytest.mark.parametrize(
    "text",
    [
        "Heart rate 80.",
        "Liver function normal.",
        "Brain MRI: mass.",
        "Department of Breast Surgery",
        "Reported by the lung cancer protocol.",
        "Tumour-free oral and aboral margins.",
        "Oral contraceptive: none",
    ],
)
def test_names_of_scans_measurements_and_institutions_are_no_organs(text: str) -> None:
    report = extract_facts(text)
    assert report.organ == ""
    assert report.concepts("organ") == ()


def test_all_readings_are_of_the_vocabulary() -> None:
    vocabulary, readings = load_vocabulary(), load_readings()
    for table in (readings.moved, readings.specific):
        for concept_id, by_organ in table.items():
            assert concept_id in vocabulary.concepts, concept_id
            for organ, reading in by_organ.items():
                assert vocabulary[organ].kind == "organ"
                assert vocabulary[reading].kind == "diagnosis"
    for concept_id, organ in readings.prefers.items():
        assert vocabulary[concept_id].kind == "diagnosis"
        assert vocabulary[organ].kind == "organ"
    for concept_id, organs in readings.stays.items():
        assert concept_id in readings.moved
        assert all(organ == "*" or vocabulary[organ].kind == "organ" for organ in organs), concept_id


def test_a_diagnosis_before_a_certificate_stays() -> None:
    text = (
        "DIAGNOSIS:\nUterine cervix, biopsy\n- SQUAMOUS CELL CARCINOMA, INVASIVE\nI attest that I have seen the slides."
    )
    assert extract_facts(text).diagnosis == "cervical-squamous-cell-carcinoma"
