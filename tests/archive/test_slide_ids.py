"""Ids made of the names of files: unique, storable, and the same ever after."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.indexing.metadata_join import SlideMetadata
from histoseek.archive.indexing.plan import Planner, take_fingerprints
from histoseek.archive.indexing.slide_ids import LONGEST_ID, UnnamedSlide, assign_ids, holds_person_name
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import SlideRecord
from histoseek.encoders.recipe import Recipe
from histoseek.progress import SilentReporter
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.registry import discover

LETTERS = ("A", "a", "\u00c4", "A\u0308", "\u00e4", "\u017f", "S", "s", "\ufb01", "fi", "\u00df", "ss")
ALIKE = (*LETTERS, "A-1", "a b", "a  b", "a\tb", "a/b", "..", "", "-a")
STEMS = st.sampled_from(ALIKE) | st.text(max_size=20) | st.text("aA.-_ ", max_size=4) | st.just("x" * 300)
PRINTS = st.integers(0, 5).map(lambda number: f"f1-{number:08x}{'0' * 56}")
UNNAMED = st.builds(UnnamedSlide, STEMS, PRINTS)
NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not {0, 47} & {*name} and name.strip(b"."))
FILES = st.dictionaries(
    st.tuples(st.sampled_from([b"one", b"two"]), NAMES | st.sampled_from([name.encode() for name in ("a", "A", "ä")])),
    st.integers(0, 4),
    min_size=1,
    max_size=6,
)


def records_of(plan: Sequence[tuple[str, SlideSource, str]]) -> list[SlideRecord]:
    now = datetime.now(UTC)
    return [SlideRecord(slide_id, source.uri, content, 1, 1, 0.5, 1, now, now) for slide_id, source, content in plan]


def plan_ids(records: Sequence[SlideRecord], sources: Sequence[SlideSource]) -> list[tuple[str, SlideSource, str]]:
    metadata = {source: SlideMetadata() for source in sources}
    planner = Planner(ArchiveLayout(Path("/nowhere")), Recipe(), records, metadata, {})
    plan = planner.plan(take_fingerprints(sources, 1, SilentReporter()))
    assert not plan.superseded
    return [(slide.slide_id, slide.source, slide.file_fingerprint) for slide in plan.encode]


@given(st.lists(UNNAMED, max_size=12), st.lists(STEMS, max_size=3), st.randoms())
def test_ids_are_unique_storable_and_the_same_in_any_order(
    slides: list[UnnamedSlide], taken: list[str], random: object
) -> None:
    ids = assign_ids(slides, taken)
    assert assign_ids(slides[::-1], taken[::-1]) == ids
    contents = {slide_id: {s.file_fingerprint for s in ids if ids[s] == slide_id} for slide_id in ids.values()}
    assert all(len(prints) == 1 for prints in contents.values())
    assert not {slide_id.casefold() for slide_id in ids.values()} & {other.casefold() for other in taken}
    for slide_id in ids.values():
        assert 0 < len(slide_id) <= LONGEST_ID
        assert slide_id.isprintable()
        assert not {"/", "\\"} & {*slide_id}
        assert slide_id.strip(". ") and not slide_id.startswith("-")


@settings(max_examples=25)
@given(FILES, st.integers(0, 5))
def test_whatever_files_are_called_ids_stay_over_orders_and_runs(
    files: Mapping[tuple[bytes, bytes], int], first: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        for (folder, stem), content in files.items():
            path = os.path.join(os.fsencode(name), folder, stem + b".svs")  # noqa: PTH118
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            Path(os.fsdecode(path)).write_bytes(b"%d" % content)
        sources = [source for file in sorted(Path(name).rglob("*.svs")) for source in discover([file]).slides]
        at_once = plan_ids([], sources)
        assert len({slide_id for slide_id, _, _ in at_once}) == len({content for _, _, content in at_once})
        assert plan_ids([], sources[::-1]) == at_once
        records = records_of(plan_ids([], sources[: first + 1]))
        for order in (sources, sources[::-1]):
            later = {content: slide_id for slide_id, _, content in plan_ids(records, order)}
            assert {record.file_fingerprint: record.slide_id for record in records}.items() <= later.items()
            assert len(set(later.values())) == len(later)


def copy_slides(cohort: Path, folder: Path, *names: str) -> None:
    files = sorted(cohort.glob("*.tiff"))
    for name, file in zip(names, files, strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / name)


def read_ids(archive: Archive, folder: Path) -> dict[str, str]:
    return {str(Path(record.uri).relative_to(folder)): record.slide_id for record in archive.records()}


def test_names_are_ids_and_stay_ids(cohort: Path, tmp_path: Path) -> None:
    folder, archive = tmp_path / "slides", Archive.create(tmp_path / "archive", text_encoder="none")
    copy_slides(cohort, folder, "A 1.tiff", "site/B.tiff")
    archive.index([folder])
    assert read_ids(archive, folder) == {"A 1.tiff": "A 1", "site/B.tiff": "B"}

    (folder / "site/B.tiff").rename(folder / "renamed.tiff")
    shutil.copy(sorted(cohort.glob("*.tiff"))[4], folder / "A 1.tiff")
    archive.update("A 1", {"organ": "colon"})
    report = archive.index([folder])
    assert (report.added, report.updated) == (0, 2)
    assert read_ids(archive, folder) == {"A 1.tiff": "A 1", "renamed.tiff": "B"}
    assert archive.get("A 1").record.organ == "colon"
    assert archive.verify().problems == ()


def test_equal_names_in_two_folders_get_digits_of_their_content(cohort: Path, tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    copy_slides(cohort, folder, "one/HE.tiff", "two/he.tiff", "two/C.tiff")
    whole = Archive.create(tmp_path / "whole", text_encoder="none")
    whole.index([folder])
    ids = read_ids(whole, folder)
    assert ids["two/C.tiff"] == "C"
    first, second = ids["one/HE.tiff"], ids["two/he.tiff"]
    assert (first[:3], second[:3], len(first), len(second)) == ("HE-", "he-", 11, 11)

    parted = Archive.create(tmp_path / "parted", text_encoder="none")
    parted.index([folder / "two"])
    assert read_ids(parted, folder) == {"two/he.tiff": "he", "two/C.tiff": "C"}
    parted.index([folder])
    assert read_ids(parted, folder) == {"two/he.tiff": "he", "two/C.tiff": "C", "one/HE.tiff": first}


def test_a_slide_whose_file_another_one_replaced_keeps_its_id_elsewhere(cohort: Path, tmp_path: Path) -> None:
    folder, archive = tmp_path / "slides", Archive.create(tmp_path / "archive", text_encoder="none")
    copy_slides(cohort, folder, "a.tiff")
    archive.index([folder])
    (folder / "a.tiff").rename(folder / "old.tiff")
    shutil.copy(sorted(cohort.glob("*.tiff"))[2], folder / "a.tiff")
    archive.index([folder])
    ids = read_ids(archive, folder)
    assert ids["old.tiff"] == "a"
    assert ids["a.tiff"].startswith("a-")


def test_archives_of_older_versions_keep_their_ids(cohort: Path, tmp_path: Path) -> None:
    folder, archive = tmp_path / "slides", Archive.create(tmp_path / "archive", text_encoder="none")
    copy_slides(cohort, folder, "a.tiff")
    (tmp_path / "m.csv").write_text("file,slide_id\na.tiff,0123456789abcdef\n")
    archive.index([folder], tmp_path / "m.csv")
    copy_slides(cohort, folder, "a.tiff", "b.tiff")
    archive.index([folder])
    assert read_ids(archive, folder) == {"a.tiff": "0123456789abcdef", "b.tiff": "b"}


def test_a_copy_beside_a_slide_does_not_take_its_place(cohort: Path, tmp_path: Path) -> None:
    folder, archive = tmp_path / "slides", Archive.create(tmp_path / "archive", text_encoder="none")
    copy_slides(cohort, folder, "b.tiff")
    archive.index([folder])
    shutil.copy(folder / "b.tiff", folder / "a.tiff")
    report = archive.index([folder])
    assert [(Path(refusal.path).name, refusal.error) for refusal in report.refused] == [("a.tiff", "DuplicateSlide")]
    assert read_ids(archive, folder) == {"b.tiff": "b"}


@pytest.mark.parametrize(
    ("stem", "names", "private"),
    [
        ("schmidt_anna", (), True),
        ("SCHMIDT-ANNA-1950_HE", (), True),
        ("Doe, John", (), True),
        ("mu\u0308ller_anna", (), True),
        ("12_Zyqwert_HE", ("Zyqwert, Ona",), False),
        ("12_zyqwert_ona", ("Zyqwert, Ona",), True),
        ("TCGA-02-0001-01Z", (), False),
        ("TCGA-AA-1234-01Z-00-DX1.3f0abe9dee4b4c6fa1ben2max7", (), False),
        ("Kidney_Cortex", (), False),
        ("Masson_Trichrome", (), False),
        ("Leica-Fluorescence-1", (), False),
        ("肺癌切片", (), False),
        ("S21-12345_A1", (), False),
    ],
)
def test_names_of_persons_are_noticed(stem: str, names: Sequence[str], private: bool) -> None:
    assert holds_person_name(stem, names) is private


def test_a_name_of_a_person_is_no_id_unless_identifiers_are_kept(cohort: Path, tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    copy_slides(cohort, folder, "schmidt_anna.tiff")
    private = Archive.create(tmp_path / "private", text_encoder="none")
    private.index([folder])
    (record,) = private.records()
    assert record.slide_id == record.file_fingerprint[3:19]
    kept = Archive.create(tmp_path / "kept", text_encoder="none")
    kept.index([folder], deidentify=False)
    assert [one.slide_id for one in kept.records()] == ["schmidt_anna"]
