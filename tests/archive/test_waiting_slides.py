"""What waits to be indexed is kept without identifiers, and `index` finds nothing more to take from it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from histoseek.archive.indexing.waiting_slides import WaitingSlide, clean_waiting_slides
from histoseek.archive.schema import SlideRecord
from histoseek.errors import BadTable

REPORT = "Patient Schmidt, Anna (MRN 98765432), specimen S23-4711 of 12.03.2024. Clear cell carcinoma, grade 2."
METADATA = {
    "patient_id": "Schmidt, Anna",
    "Patient name": "Anna Schmidt",
    "Telefon": "030 1234567",
    "organ": "kidney",
    "age": "44",
}


def test_metadata_and_report_lose_what_names_a_person() -> None:
    (clean,) = clean_waiting_slides([WaitingSlide("S23-4711", METADATA, REPORT)], choice=True)
    assert {*clean.metadata} == {"patient_id", "organ", "age"}
    assert clean.metadata["patient_id"].startswith("patient-")
    assert clean.report == "Patient [NAME] (MRN [ID]), specimen [ID] of [DATE]. Clear cell carcinoma, grade 2."


def test_what_is_clean_stays_as_it_is() -> None:
    (once,) = clean_waiting_slides([WaitingSlide("a", METADATA, REPORT)], choice=True)
    (twice,) = clean_waiting_slides([WaitingSlide("a", once.metadata, once.report)], choice=True)
    assert twice == once


def test_the_archive_s_record_says_what_to_look_for() -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    record = SlideRecord("a", "a.svs", "f1-0", 1, 1, 0.5, 1, now, now, patient_id="QX-771-B")
    slide = WaitingSlide("a", {}, "Seen again: QX-771-B. No tumour.", record)
    (clean,) = clean_waiting_slides([slide], choice=True)
    assert clean.report == "Seen again: [ID]. No tumour."


@pytest.mark.parametrize(
    ("stem", "names", "is_private"),
    [("Schmidt_Anna", {}, True), ("CMU-1", {}, False), ("okeke-4", {"patient_id": "Okeke, Ngozi"}, False)],
)
def test_names_of_files_are_private_where_they_tell_a_person_s(
    stem: str, names: dict[str, str], is_private: bool
) -> None:
    (clean,) = clean_waiting_slides([WaitingSlide(stem, names)], choice=True)
    assert clean.has_private_name is is_private


def test_with_identifiers_kept_nothing_changes() -> None:
    (clean,) = clean_waiting_slides([WaitingSlide("Schmidt_Anna", METADATA, REPORT)], choice=False)
    assert (clean.metadata, clean.report, clean.has_private_name) == (METADATA, REPORT, False)


def test_columns_that_can_not_be_told_apart_are_refused() -> None:
    with pytest.raises(BadTable, match="patient_id"):
        clean_waiting_slides([WaitingSlide("a", {"patient_id": "1", "Patient ID": "2"})], choice=True)
