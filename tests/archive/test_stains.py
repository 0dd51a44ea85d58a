"""The stain of a record: stated, detected, filtered by, and contradicted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord
from histoseek.archive.stains import add_stain, choose_stain, disagree, name_stain, read_preparation

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = SlideRecord("a", "/slides/a.svs", "f", 1, 1, 0.5, 1, NOW, NOW)


@pytest.mark.parametrize(
    ("stated", "stain"),
    [
        *(
            (text, "H&E")
            for text in ("H&E", "HE", "h & e", "Haematoxylin and eosin", "hematoxylin-eosin", "frozen H&E")
        ),
        *((text, "IHC Ki-67") for text in ("Ki-67", "IHC ki67", "MIB-1")),
        *((text, "IHC") for text in ("IHC", "immunohistochemistry", "DAB")),
        ("HER2/neu", "IHC HER2"),
        ("PAS", "special pas"),
        ("Masson's trichrome", "special masson s trichrome"),
        ("special", "special"),
        *((text, "unknown") for text in (None, "", " ", "unknown", "n/a", "-")),
    ],
)
def test_stated_stains_are_named_however_they_are_written(stated: str | None, stain: str) -> None:
    assert name_stain(stated) == stain


@pytest.mark.parametrize(
    ("name", "preparation"),
    [
        ("TCGA-CR-7395-01A-01-TS1.svs", "frozen"),
        ("TCGA-CR-7395-01A-03-BS3.0f.svs", "frozen"),
        ("TCGA-18-5592-01Z-00-DX1.svs", "FFPE"),
        ("case12_frozen_a.svs", "frozen"),
        ("Cryosection 3.svs", "frozen"),
        ("block 4 FFPE.svs", "FFPE"),
        ("unfrozen-lake.svs", None),
        ("FFPE and frozen.svs", None),
        ("slide-1.svs", None),
    ],
)
def test_preparations_are_read_of_names_alone(name: str, preparation: str | None) -> None:
    assert read_preparation(name) == preparation


def test_what_is_stated_stays_and_what_was_detected_gives_way() -> None:
    stain, extra = add_stain(RECORD, None, None, "IHC")
    detected = replace(RECORD, stain=stain, extra=extra)
    assert (stain, extra) == ("IHC", {"stain_detected": "IHC"})
    assert add_stain(detected, None, detected, "special")[0] == "special"
    assert add_stain(detected, None, detected, None) == ("IHC", {"stain_detected": "IHC"}), "metadata alone"
    stain, extra = add_stain(detected, "Ki-67", detected, "special")
    stated = replace(RECORD, stain=stain, extra=extra)
    assert (stain, extra["stain_detected"]) == ("Ki-67", "special")
    assert add_stain(stated, None, stated, "IHC")[0] == "Ki-67"
    assert add_stain(RECORD, None, None, "unknown") == (None, {"stain_detected": "unknown"})


def test_contradictions() -> None:
    def is_odd(stated: str | None, detected: str | None) -> bool:
        return disagree(replace(RECORD, stain=stated, extra={"stain_detected": detected}))

    assert is_odd("HE", "IHC")
    assert is_odd("ki67", "H&E")
    assert not is_odd("ki67", "IHC")
    assert not is_odd("PAS", "H&E")
    assert not is_odd("HE", "unknown")
    assert not is_odd("HE", None)
    assert not is_odd(None, "IHC")
    of = [replace(RECORD, stain="IHC", extra={"marker": "MIB1"}), replace(RECORD, extra={"stain_detected": "IHC"})]
    assert [choose_stain(record.stain, record.extra) for record in (*of, RECORD)] == ["IHC Ki-67", "IHC", "unknown"]


def test_slides_have_the_stain_that_is_detected_where_none_is_stated(cohort: Path, tmp_path: Path) -> None:
    slides = sorted(cohort.glob("*.tif*"))[:2]
    table = tmp_path / "stains.csv"
    table.write_text(f"slide_id,stain\n{slides[0].name.split('.')[0]},Ki-67\n")
    archive = Archive.create(tmp_path / "archive")
    report = archive.index(slides, metadata=table)
    records = archive.records()
    assert [record.extra["stain_detected"] for record in records] == ["H&E", "H&E"]
    assert [record.stain for record in records] == ["Ki-67", "H&E"]
    assert [record.slide_id for record in archive.records("stain = 'H&E'")] == [records[1].slide_id]
    [warning] = [text for text in report.warnings if "stained otherwise" in text]
    assert records[0].slide_id in warning
    assert records[1].slide_id not in warning
    before = archive.records()
    assert archive.index(slides, metadata=table).unchanged == 2
    assert archive.records() == before
