# ruff: noqa: E501
"""What is replaced, what is kept, and what is told about it."""

from __future__ import annotations

import pytest

from histoseek.reports.privacy.deidentify import KnownIdentifiers, add_counts, deidentify
from histoseek.reports.privacy.identifiers.identifier_kinds import IdentifierKind


def counted(text: str, known: KnownIdentifiers | None = None) -> dict[str, int]:
    return {one.kind.value: one.count for one in deidentify(text, known).counts}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Patient: Smith, John   Age: 67", "Patient: [NAME]   Age: 67"),
        ("seen by Dr. A. Meyer and Mrs Jones.", "seen by Dr. [NAME] and Mrs [NAME]."),
        ("Electronically signed by Oswin van der Quisenberry, MD", "Electronically signed by [NAME], MD"),
        ("PATIENT NAME: O'BRIEN, MARY ANN", "PATIENT NAME: [NAME]"),
        ("Dr. Paget found Paget disease.", "Dr. [NAME] found Paget disease."),
        ("PID|1||1234567^^^H^MR||SMITH^JOHN^A||19340304|M", "PID|1||[ID]^^^H^MR||[NAME]||[DATE]|M"),
        ("Transcribed by: MK", "Transcribed by: [NAME]"),
        ("MRN 1234567, S19-12345, SSN 123-45-6789", "MRN [ID], [ID], SSN [ID]"),
        ("Hospital No: 445-11-22, Case #: 99121", "Hospital No: [ID], Case #: [ID]"),
        ("on 03/04/2019 at 14:05, 4. März 2019, 4 de mayo de 2019", "on [DATE], [DATE], [DATE]"),
        ("9 mai 2014; 3 maart 2020; 04-MAR-19; March 3rd; 2019-03-04", "[DATE]; [DATE]; [DATE]; [DATE]; [DATE]"),
        ("l2/O3/2Ol9", "[DATE]"),
        ("2019年3月4日", "[DATE]"),
        ("nephrectomy in 2009, DOB 1931", "nephrectomy in 2009, DOB [DATE]"),
        ("a 92-year-old man, aged 91, 93 y/o, 89-year-old", None),
        ("Tel: (617) 555-1234, fax 617.555.9876", "Tel: [PHONE], fax [PHONE]"),
        ("jane.roe@example.org, https://a.example/x?y=1, 10.2.3.4", "[EMAIL], [URL], [IP]"),
        ("at 12 Oak Hill Road, Rockhaven, MA 02115", "at [ADDRESS], [ADDRESS]"),
        ("P.O. Box 5512; Lindenstraße 12; Kerkstraat 4", "[ADDRESS]; [ADDRESS]; [ADDRESS]"),
        ("sent from Eastmere General Hospital", "sent from [INSTITUTION]"),
        ("患者姓名: 张晓明", "患者姓名: [NAME]"),
        ("اسم المريض: محمد علي", "اسم المريض: [NAME]"),
        ("שם המטופל: דוד כהן", "שם המטופל: [NAME]"),
    ],
)
def test_replaces_identifiers(text: str, clean: str | None) -> None:
    expected = clean or "a [AGE OVER 89]-year-old man, aged [AGE OVER 89], [AGE OVER 89] y/o, 89-year-old"
    assert deidentify(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "Gleason 3+4=7, Nottingham grade 2 (3+2+2), Fuhrman 3, Bethesda VI, Breslow 1.2 mm, Clark level IV, Borrmann III",
        "Barrett mucosa, Hodgkin and Burkitt lymphoma, Paget disease, Crohn disease, Hashimoto thyroiditis, Warthin tumor",
        "Ewing sarcoma, Wilms tumor, Kaposi sarcoma, Merkel cell carcinoma, Von Brunn nests, Sertoli-Leydig cell tumor",
        "REED-STERNBERG CELLS. HODGKIN LYMPHOMA. BARRETT ESOPHAGUS. GIEMSA AND GRAM STAINS. MASSON TRICHROME. LAUREN",
        "per Fuhrman's grading, of Lauren's intestinal type, Ann Arbor stage II, Whipple resection, van Gieson stain",
        "pT2a pN1 (2/14), ypT0, 3.2 x 2.1 x 1.0 cm, 1.5 mm, 12/15 cores, 3/10 HPF, 95 % of cells, 0.4x0.3x0.2cm",
        "p53, CD20, Ki-67 15%, MLH1, SP142, PD-L1 22C3, D2-40, AE1/AE3, CAM5.2, HMB-45, S100, HER2 2+, CD3/CD20, HPV16/18",
        "blocks A1-A4, slide 2B, A. Skin, B. Brown tissue, cassette 1C, T-04000 M-85003, C50.9, 8500/3, CPT 88305, 88342",
        "NM_000546.5, rs121913529, chr7:55259515, c.2573T>G, p.L858R, 1,000,000 cells, H. pylori, E. Coli, K. Pneumoniae",
        "Mark margins. Outside Hospital. University Hospital. The patient may be followed. In March of events. may 2 cm",
        "Patient: Positive. Pathologist: Pending. Surgeon: Unknown. Discussed with Surgery. Reviewed by Pathology",
    ],
)
def test_keeps_pathology(text: str) -> None:
    assert deidentify(text).text == text


def test_removes_known_identifiers_in_any_writing() -> None:
    known = KnownIdentifiers(names=("Quisenberry, Oswin",), ids=("S19-12345", "0012-77"))
    text = "oswin was seen. QUISENBERRY's slides (s19 12345, S1912345, S19/12345) of 001277 and 0012_77 were cut."
    clean = deidentify(text, known).text.lower()
    assert not any(part in clean for part in ("oswin", "quisenberry", "12345", "77"))
    assert "slides" in clean and "were cut." in clean


def test_known_name_that_is_a_word_or_an_eponym_goes_only_beside_the_other_name() -> None:
    known = KnownIdentifiers(names=("White, Gleason",))
    clean = deidentify("white pulp, Gleason score 7, WHITE, GLEASON was seen", known).text
    assert clean == "white pulp, Gleason score 7, [NAME], [NAME] was seen"


def test_known_identifiers_may_be_parts_of_longer_words() -> None:
    text = "S19-123456 and Listing"
    assert deidentify("Listing", KnownIdentifiers(names=("List",))).text == "Listing"
    assert "[ID]6" not in deidentify(text, KnownIdentifiers(ids=("S19-12345",))).text


def test_a_name_found_by_its_label_goes_everywhere() -> None:
    text = "Patient: Quisenberry, Oswin\nThe slides of QUISENBERRY show gastritis. Oswin Quisenberry agreed."
    assert deidentify(text).text == "Patient: [NAME]\nThe slides of [NAME] show gastritis. [NAME] agreed."


def test_spans_are_places_of_the_original() -> None:
    text = "Patient: Smith, John\nMRN: 1234567\nRe: S19-12345 Quisenberry\nOswin Quisenberry called 617-555-1234."
    result = deidentify(text)
    rebuilt, at = "", 0
    for span in result.spans:
        rebuilt += text[at : span.start] + span.kind.placeholder
        at = span.end
    assert rebuilt + text[at:] == result.text
    assert [text[span.start : span.end] for span in result.spans if span.kind is IdentifierKind.ID] == [
        "1234567",
        "S19-12345",
    ]


def test_tells_counts_and_no_text() -> None:
    known = KnownIdentifiers(names=("Quisenberry",), ids=("998877",))
    result = deidentify("Patient: Smith, John, MRN 1234567, 03/04/2019, Quisenberry", known)
    told = repr(result) + str(result) + repr(known) + repr(result.counts)
    assert not any(part in told for part in ("Smith", "1234567", "2019", "Quisenberry", "998877"))
    assert counted("Patient: Smith, John, MRN 1234567, 03/04/2019") == {"name": 1, "date": 1, "id": 1}
    assert {one.kind.value: one.count for one in add_counts([result, result])}["name"] == 4


def test_the_word_lists_may_be_shared_between_texts_of_one_process() -> None:
    first = deidentify("Patient: Quisenberry, Oswin").text
    assert deidentify("Quisenberry sign").text == "Quisenberry sign"
    assert deidentify("Patient: Quisenberry, Oswin").text == first


def test_empty_text() -> None:
    result = deidentify("")
    assert (result.text, result.counts, result.spans) == ("", (), ())
