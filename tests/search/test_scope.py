"""Which slides a search may find: the query's own patient, by id or by any spelling of a name, is not among them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from histoseek import (
    ArchivedSlide,
    Case,
    Composed,
    EncodedSlide,
    Rect,
    Region,
    ReportFile,
    ReportText,
    SlideFile,
    TextQuery,
    TileImage,
)
from histoseek.api import Archive
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.bag import load_bag
from histoseek.errors import MixedPatients
from histoseek.reports.privacy.person_names import make_patient_key
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedReport, Query, Refined
from histoseek.search.scope.exclusion import Owner, SearchScope
from histoseek.slides.slide import open_slide
from histoseek.slides.sources.file import FileSource
from tests.archive.tables import create_table
from tests.archive.test_store import make_slide

PATIENTS = ("Müller, Anna", "Zumwalt, Iolanthe", "山田太郎", "P-3 a", "P-4")
OTHERWISE = ("anna mu\u0308ller", "Iolanthe ZUMWALT", " 山田太郎 ", "P-3  a", "P-4")
GIVEN = ("  ANNA\tMULLER ", "ZUMWALT^IOLANTHE", "山田太郎", " P-3\u00a0a", "P-4\n")
"""Names and ids as a first slide has them, as a second has them, and as people ask with them."""


def name_of(patient: int, number: int) -> str:
    return f"SIM-{patient:04d}-{number:02d}"


@pytest.fixture(scope="module", params=[True, False], ids=["pseudonyms", "names"])
def archive(request: pytest.FixtureRequest, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Slides of which each patient's are spelled differently, with reports and without cases."""
    folder = tmp_path_factory.mktemp("named")
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["slide_id", "patient_id"])
        for patient in range(5):
            rows.writerow([name_of(patient, 0), PATIENTS[patient]])
            rows.writerow([name_of(patient, 1), OTHERWISE[patient]])
    archive = Archive.create(folder / "archive")
    archive.index([cohort], folder / "metadata.csv", cohort / "reports.csv", deidentify=request.param)
    return archive


@pytest.fixture(scope="module")
def copies(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """Pictures cut from the first slide of each patient, which no archive knows, and a report."""
    folder = tmp_path_factory.mktemp("copies")
    (folder / "report.txt").write_text("Adenocarcinoma of the lung.")
    for patient in range(5):
        with open_slide(cohort / f"{name_of(patient, 0)}.tiff") as slide:
            pixels = slide.read_level(0, 144, 144, 480, 480)
        Image.fromarray(pixels).save(folder / f"{patient}.png")
    return [folder / f"{patient}.png" for patient in range(5)]


def _encoded(archive: Archive, path: Path, name: str | None) -> EncodedSlide:
    return EncodedSlide(load_bag(archive.layout.bag(name_of(int(path.stem), 0))), "upload", 0.5, name)


KINDS: dict[str, Callable[[Archive, Path, str | None], Query]] = {
    "file": lambda _, path, name: SlideFile(path, 0.5, name),
    "region": lambda _, path, name: Region(SlideFile(path, 0.5, name), (Rect(100, 100, 300, 300),)),
    "tile": lambda _, path, name: TileImage(path, 0.5, name),
    "encoded": _encoded,
    "case": lambda archive, path, name: Case((SlideFile(path, 0.5, name), _encoded(archive, path, name))),
    "text": lambda _, __, name: TextQuery("carcinoma", name),
    "report": lambda _, __, name: ReportText("Adenocarcinoma of the lung.", name),
    "report file": lambda _, path, name: ReportFile(path.parent / "report.txt", name),
    "composed": lambda _, path, name: Composed(SlideFile(path, 0.5, name), "carcinoma"),
    "composed without": lambda _, path, name: Composed(TileImage(path, 0.5, name), without="carcinoma"),
    "refined": lambda _, path, name: Refined(SlideFile(path, 0.5, name), (), (name_of(4 - int(path.stem), 1),)),
    "refined text": lambda _, path, name: Refined(TextQuery("carcinoma", name), (), (name_of(4, 1),)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_query_finds_its_own_patient_by_any_name(archive: Archive, copies: Sequence[Path], kind: str) -> None:
    for patient in (0, 1, 2, 3) if kind == "file" else (0,):
        own = {name_of(patient, 0), name_of(patient, 1)}
        # Spellings and ways to search are apart: each is tried once.
        for options in ({}, {"exact": True}, {"to": "reports"}, {"by_case": True})[: 1 if patient else 4]:
            nobodys = archive.search(KINDS[kind](archive, copies[patient], None), k=10, **options)
            assert own & {result.slide_id for result in nobodys}
            names = (GIVEN[patient], PATIENTS[patient], make_patient_key(PATIENTS[patient]))
            for name in names[: 1 if options else 3]:
                query = KINDS[kind](archive, copies[patient], name)
                found = archive.search(query, k=10, **options)
                assert not own & {one for result in found for one in (result.slide_id, *result.also)}
                assert len(found) > 0
                assert not any("patient is not known" in warning for warning in found.warnings)


@pytest.mark.parametrize("patient", range(5))
def test_no_slide_of_the_archive_finds_its_patient_spelled_otherwise(archive: Archive, patient: int) -> None:
    own = name_of(patient, 0)
    for query in (ArchivedSlide(own), ArchivedReport(own), Region(ArchivedSlide(own), (Rect(0, 0, 700, 700),))):
        assert name_of(patient, 1) not in {result.slide_id for result in archive.search(query, k=10)}
        allowed = archive.search(query, k=10, same_patient=True)
        assert name_of(patient, 1) in {result.slide_id for result in allowed}


def test_the_patient_given_is_left_out_beside_the_one_that_the_archive_knows(archive: Archive, cohort: Path) -> None:
    path = cohort / f"{name_of(4, 0)}.tiff"
    bag = load_bag(archive.layout.bag(name_of(4, 0)))
    for query in (
        SlideFile(path, patient_id=GIVEN[0]),
        SlideFile(path, 0.5, GIVEN[0]),
        ArchivedSlide(name_of(4, 0), GIVEN[0]),
        Region(ArchivedSlide(name_of(4, 0), GIVEN[0]), (Rect(0, 0, 700, 700),)),
        Region(SlideFile(path, None, GIVEN[0]), (Rect(0, 0, 700, 700),)),
        EncodedSlide(bag, "upload", 0.5, GIVEN[0], file_fingerprint=FileSource(path).fingerprint()),
    ):
        found = {result.slide_id for result in archive.search(query, k=10)}
        assert found == {name_of(patient, number) for patient in (1, 2, 3) for number in (0, 1)}


def test_slides_of_a_case_may_spell_their_patient_differently(archive: Archive, copies: Sequence[Path]) -> None:
    slides = SlideFile(copies[0], 0.5, GIVEN[0]), ArchivedSlide(name_of(0, 0)), ArchivedSlide(name_of(0, 1))
    found = archive.search(Case(slides), k=10)
    assert {result.slide_id[:8] for result in found} == {f"SIM-{patient:04d}" for patient in range(1, 5)}
    with pytest.raises(MixedPatients):
        archive.search(Case((*slides, ArchivedSlide(name_of(1, 0)))))


def test_a_blank_name_is_nobody(archive: Archive, cohort: Path, copies: Sequence[Path]) -> None:
    found = archive.search(SlideFile(copies[0], 0.5, " \t"), k=10)
    assert any("patient is not known" in warning for warning in found.warnings)
    known = archive.search(SlideFile(cohort / f"{name_of(1, 0)}.tiff", patient_id=" "), k=10)
    assert "SIM-0001" not in {result.slide_id[:8] for result in known}


@pytest.mark.parametrize("given", ["nobody", "\ud800", "a\0b", "it's", "x" * 100_000, "') OR (true", "%"])
def test_a_patient_that_the_archive_lacks_leaves_nobody_out(archive: Archive, given: str) -> None:
    assert len(archive.search(TextQuery("carcinoma", given), k=10)) == len(archive.search(text="carcinoma", k=10))


def test_votes_count_a_patient_spelled_otherwise_once(archive: Archive) -> None:
    assert archive.stats().patients == 5
    vote = archive.search(like=name_of(4, 0), k=10, vote="patient_id").vote("patient_id")
    assert vote.patients == 4


SPELLINGS = (*PATIENTS, *OTHERWISE, "P-4", "p-4", "Ångström 1", "A\u030angstro\u0308m 1", "patient-7", "", "  ", None)
CASES = (None, "c1", "c2", "it's")
WHERE = (None, "organ = 'o1'", "case_id IS NULL", "false")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SlideTable:
    store = create_table(tmp_path_factory.mktemp("scope") / "store")
    slides = [(patient, case) for patient in SPELLINGS for case in CASES]
    store.upsert(
        [
            make_slide(f"s{i:03d}", i, organ=f"o{i % 3}", patient_id=patient, case_id=case)
            for i, (patient, case) in enumerate(slides)
        ]
    )
    return store.snapshot()


@given(
    patients=st.lists(st.sampled_from([one for one in (*SPELLINGS, *GIVEN) if one]) | st.text(max_size=5), max_size=3),
    cases=st.lists(st.sampled_from([one for one in CASES if one]), max_size=2),
    patient_cases=st.lists(st.sampled_from([one for one in CASES if one]), max_size=2),
    slides=st.lists(st.integers(0, 99).map(lambda i: f"s{i:03d}"), max_size=3),
    where=st.sampled_from(WHERE),
    same_patient=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_the_filter_and_the_arrays_leave_out_the_same(
    store: SlideTable,
    patients: list[str],
    cases: list[str],
    patient_cases: list[str],
    slides: list[str],
    where: str | None,
    same_patient: bool,
) -> None:
    options = SearchOptions(where=where, same_patient=same_patient)
    owner = Owner(tuple(patients), tuple(cases), tuple(patient_cases))
    scope = SearchScope.from_options(store, options, owner, slides)
    by_filter = list(store.slides(scope.condition))
    assert store.ranking_rows().slide_ids[scope.places(store)].tolist() == by_filter
    keys = set(map(make_patient_key, patients)) - {""} if not same_patient else set()
    records = store.records(where, None, 0)
    assert by_filter == [
        one.slide_id
        for one in records
        if one.slide_id not in slides
        and make_patient_key(one.patient_id or "") not in keys
        and (same_patient or one.case_id not in cases)
        and (same_patient or one.patient_id or one.case_id not in patient_cases)
    ]


def test_slides_of_the_same_case_without_a_patient_are_left_out(archive: Archive, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(archive.path, copy)
    opened = Archive.open(copy)
    opened.update(name_of(0, 0), {"case_id": "K1"})
    opened.update(name_of(1, 0), {"case_id": "K1", "patient_id": None})
    opened.update(name_of(2, 0), {"case_id": "K1"})
    found = {result.slide_id for result in opened.search(like=name_of(0, 0), k=10)}
    assert name_of(1, 0) not in found
    assert {name_of(1, 1), name_of(2, 0)} <= found


def test_names_that_are_added_later_are_left_out(tmp_path: Path) -> None:
    store = create_table(tmp_path / "store")
    for number, name in enumerate(("Müller, Anna", "Anna Muller", "anna müller")):
        store.upsert([make_slide(f"s{number}", number, patient_id=name)])
        scope = SearchScope.from_options(store, SearchOptions(), Owner.from_query("ANNA MÜLLER"))
        assert list(store.slides(scope.condition)) == []
        assert np.array_equal(scope.places(store.snapshot()), [])
