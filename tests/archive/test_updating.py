"""Metadata changed after indexing: one slide or many, in one step, with new columns or without."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.schema import MetadataValue
from histoseek.encoders.recipe import Recipe
from histoseek.errors import InputError, UnknownSlide
from tests.evaluation.archives import labelled_archive


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return labelled_archive(tmp_path, [0, 0, 1, 1, 2], [0, 1, 2, 3, 4])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return labelled_archive(tmp_path_factory.mktemp("shared"), [0, 0, 1, 1, 2], [0, 1, 2, 3, 4])


def test_many_slides_change_in_one_commit(archive: Archive) -> None:
    before = archive.store.version
    changes = {"slide-003": {"organ": "lung"}, "slide-001": {"organ": "colon", "stain": "PAS"}}
    records = archive.update_many(changes)
    assert [(record.slide_id, record.organ, record.stain) for record in records] == [
        ("slide-003", "lung", None),
        ("slide-001", "colon", "PAS"),
    ]
    assert archive.store.version == before + 1
    assert [record.organ for record in archive.records()] == [None, "colon", None, "lung", None]
    assert archive.records()[1] == records[1]


def test_new_columns_have_the_type_that_was_asked_for(archive: Archive) -> None:
    columns = {"ki67": float, "seen": date, "grade": int, "frozen": bool, "block": str, "age": pa.int64()}
    values: dict[str, MetadataValue] = {
        "ki67": "0.25",
        "seen": date(2020, 2, 3),
        "grade": 2,
        "frozen": False,
        "block": 7,
        "age": None,
    }
    archive.update_many({"slide-002": values}, new_columns=columns)
    expected = {"ki67": 0.25, "seen": date(2020, 2, 3), "grade": 2, "frozen": False, "block": "7", "age": None}
    assert archive.get("slide-002").record.extra == expected
    assert archive.get("slide-000").record.extra == dict.fromkeys(expected)
    assert [record.slide_id for record in archive.records("ki67 > 0.2 AND seen >= DATE '2020-01-01'")] == ["slide-002"]
    # A column that is there already is used as it is.
    archive.update_many({"slide-000": {"grade": 3}}, new_columns={"grade": int})
    assert [record.slide_id for record in archive.records("grade IS NOT NULL")] == ["slide-000", "slide-002"]


@pytest.mark.parametrize(
    ("changes", "columns", "said"),
    [
        ({"slide-001": {"ki67": 1.0}}, {}, "column ki67: the archive has no such column"),
        ({"slide-001": {"ki67": "high"}}, {"ki67": float}, "column ki67: 'high' does not fit"),
        ({"slide-001": {"uri": "x"}}, {}, "column uri: is set by the archive itself"),
        ({"slide-001": {"organ": "lung"}}, {"organ": int}, "column organ: is there already, and holds string"),
        ({"slide-001": {"Ki-67": 1.0}}, {"Ki-67": float}, "cannot be added under this name. Call it ki_67"),
        ({"slide-001": {"mosaic": 1.0}}, {"mosaic": float}, "Call it table_mosaic"),
        ({"slide-001": {"ki67": 1.0}}, {"ki67": list}, "Give str, int, float, bool or date"),
    ],
)
def test_what_cannot_be_set_is_named_and_nothing_changes(
    shared: Archive, changes: dict[str, dict[str, MetadataValue]], columns: dict[str, type], said: str
) -> None:
    before, types = shared.store.version, shared.store.metadata_types()
    with pytest.raises(InputError) as caught:
        shared.update_many({"slide-000": {"organ": "liver"}, **changes}, new_columns=columns)
    assert said in str(caught.value)
    assert (shared.store.version, shared.store.metadata_types()) == (before, types)


def test_an_unknown_slide_changes_nothing(archive: Archive) -> None:
    before = archive.store.version
    with pytest.raises(UnknownSlide, match="slide-9"):
        archive.update_many({"slide-000": {"organ": "lung"}, "slide-9": {"organ": "lung"}}, new_columns={"a": int})
    assert archive.store.version == before
    empty = Archive.create(archive.path.parent / "empty", Recipe(encoder="features:test"))
    with pytest.raises(UnknownSlide, match="slide-000"):
        empty.update_many({"slide-000": {"organ": "lung"}})


def test_new_reports_lose_names_and_are_read(archive: Archive) -> None:
    archive.update_many(
        {
            "slide-000": {"report": "Patient: Jane Roe. Adenocarcinoma of the colon."},
            "slide-001": {"organ": "colon"},
        }
    )
    assert archive.get("slide-000").record.report == "Patient: [NAME]. Adenocarcinoma of the colon."
    assert [result.slide_id for result in archive.search(text="adenocarcinoma").results] == ["slide-000"]
    assert '"reports", "slides": 1' in archive.layout.journal.read_text().splitlines()[-1]


NUMBERS = st.sampled_from(range(5))
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8))


@settings(max_examples=30)
@given(st.lists(st.dictionaries(NUMBERS, st.tuples(TEXTS, TEXTS), min_size=1), max_size=3))
def test_records_are_those_of_a_dictionary(
    shared: Archive, runs: list[dict[int, tuple[str | None, str | None]]]
) -> None:
    expected = {record.slide_id: (record.organ, record.site) for record in shared.records()}
    for run in runs:
        changes = {f"slide-{number:03d}": {"organ": organ, "site": site} for number, (organ, site) in run.items()}
        shared.update_many(changes)
        expected |= {slide_id: (values["organ"], values["site"]) for slide_id, values in changes.items()}
    assert {record.slide_id: (record.organ, record.site) for record in shared.records()} == expected
