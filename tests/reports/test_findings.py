"""Invasion, necrosis and growth through a capsule: said in many ways, decided by section, each of its organ."""

from __future__ import annotations

import pytest

from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.facts.summary import summarise_report


def _summarise(text: str) -> tuple[str, str, str]:
    summary = summarise_report(extract_facts(text))
    return summary.lymphovascular, summary.perineural, summary.necrosis


@pytest.mark.parametrize(
    ("text", "states"),
    [
        (
            "Lymphovascular invasion is present. No perineural invasion. Focal necrosis.",
            ("present", "absent", "present"),
        ),
        ("Venous/lymphatic (large/small vessel) invasion (V/L): Absent", ("absent", "", "")),
        ("Lymphatic invasion: Not specified\nVenous invasion: Absent", ("absent", "", "")),
        ("Venous invasion (V): absent\nSmall vessel invasion (L): present", ("present", "", "")),
        ("Venous (large vessel): not involved\nLymphatic (small vessel): not involved", ("absent", "", "")),
        ("Extent of invasion:\nAngiolymphatic: not identified\nPerineural: present", ("absent", "present", "")),
        ("pT3 pN0 L0 V0 Pn1 R0", ("absent", "present", "")),
        ("PERINEURAL INVASION: IS PRESENT.\nLYMPHATIC INVASION: IS NOT SEEN.", ("absent", "present", "")),
        ("Perineural extension: within the prostate", ("", "present", "")),
        ("Multifocal involvement of perineural sheaths.", ("", "present", "")),
        ("Tumor necrosis:\n10%", ("", "", "present")),
        ("Microvessel invasion: Yes", ("present", "", "")),
        ("The tumour infiltrates the capsule, vessels or nerves.", ("present", "present", "")),
        ("Deposits of carcinoma in the lymphatic spaces.", ("present", "", "")),
        ("The tumour does not invade blood vessels.", ("absent", "", "")),
        ("The renal vessels are free. Renal vein invasion: present", ("", "", "")),
        ("Angiolymphatic invasion: 2\n1. Yes  2. No\n", ("absent", "", "")),
        ("Suspicious for lymphovascular invasion.", ("uncertain", "", "")),
        ("Omental fat necrosis.", ("", "", "")),
        ("DIAGNOSIS:\nCarcinoma, no necrosis.\nGROSS DESCRIPTION:\nThe tumour is necrotic.", ("", "", "absent")),
        ("DIAGNOSIS:\nCarcinoma.\nGROSS DESCRIPTION:\nA tumour with necrotic areas.", ("", "", "present")),
        ("DIAGNOSIS:\nCarcinoma.\nGROSS DESCRIPTION:\nA lymph node with a necrotic centre.", ("", "", "")),
    ],
)
def test_invasion_and_necrosis(text: str, states: tuple[str, str, str]) -> None:
    assert _summarise(text) == states


def test_growth_through_a_capsule_belongs_to_its_organ() -> None:
    text = (
        "DIAGNOSIS:\nA. Prostate, prostatectomy: adenocarcinoma, Gleason 4+3, with extracapsular extension.\n"
        "B. Lymph nodes, pelvic, excision: metastatic carcinoma in one of two nodes without extracapsular extension."
    )
    findings = [(one.concept_id, one.state, one.organ) for one in extract_facts(text).findings]
    assert findings == [
        ("extraprostatic-extension", "present", "prostate"),
        ("extranodal-extension", "absent", "lymph-node"),
    ]


def test_a_finding_belongs_to_the_organ_of_its_sentence() -> None:
    report = extract_facts("DIAGNOSIS:\nRectum, resection: adenocarcinoma. Perineural invasion in the bladder wall.")
    assert [(one.concept_id, one.organ) for one in report.findings] == [("perineural-invasion", "bladder")]
