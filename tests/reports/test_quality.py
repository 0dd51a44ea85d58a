"""Reports say how far they can be relied on."""

from __future__ import annotations

import pytest

from histoseek.archive.report_index import read_report
from histoseek.reports.facts.quality import judge_quality
from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.index.query import make_fact

NOISE = "wqk tlumc orpha xnit vobbel strim ulk pranz mikto gelf drusk ombit " * 3
FURNITURE = "".join(f"Page {page} of 9\nIIIIIIIIIII II IIII I IIII\n" for page in range(1, 9))


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        ("Prostate, biopsy: Acinar adenocarcinoma, Gleason 3+4", ()),
        ("Breast: negative for carcinoma.", ()),
        ("Gastritis", ()),
        ("", ("little text", "no diagnosis")),
        ("See above.", ("little text", "no diagnosis")),
        ("The request form and both containers were received at noon by the office.", ("no diagnosis",)),
        (f"Colon: adenocarcinoma. {NOISE}", ("unknown words",)),
        (f"{FURNITURE}Colon: adenoma.\n", ("mostly furniture",)),
        (
            "Das Präparat zeigt ein mäßig differenziertes Adenocarcinom mit Infiltration der Muskelwand. Die Ränder "
            "sind frei und in den Lymphknoten ist kein Tumor nachweisbar; adenocarcinoma.",
            (),
        ),
    ],
)
def test_a_report_is_poor_for_a_reason(text: str, flaws: tuple[str, ...]) -> None:
    quality = judge_quality(text, extract_facts(text))
    assert quality.flaws == flaws
    assert quality.value == ("poor" if flaws else "good")


def test_quality_is_a_fact_of_every_report() -> None:
    assert make_fact("quality", "poor") in read_report("See above.")[1]
    assert make_fact("quality", "good") in read_report("Colon: adenoma.")[1]
