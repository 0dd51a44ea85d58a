"""Changes behind an archive's back are noticed, never stop a search, and are mended where something knows what was."""

from __future__ import annotations

import csv
import errno
import json
import random
import re
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from histoseek import Archive, Recipe
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.errors import ArchiveError
from histoseek.files import read_checked_json, write_checked_json
from tests.archive.feature_files import write_feature_files
from tests.archive.tables import engine_table_of

DOCS = Path(__file__).parents[3] / "docs" / "archive.md"
SLIDES = 32
REPORT = "Diagnosis: invasive ductal carcinoma, grade {}. Margins are free. No lymph node metastasis."


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an archive with features, metadata and reports, calibrated."""
    folder = tmp_path_factory.mktemp("verify")
    ids = [f"slide-{number:02d}" for number in range(SLIDES)]
    features = write_feature_files(folder / "features", ids, tiles=24, dimension=24)
    with (folder / "slides.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["slide_id", "patient_id", "diagnosis", "report", "ki67"])
        for number, slide_id in enumerate(ids):
            rows.writerow([slide_id, f"P{number}", f"kind {number % 2}", REPORT.format(number % 3 + 1), number / 4])
    archive = Archive.create(folder / "archive", Recipe(encoder="features:test"), text_encoder="none")
    archive.index([features], folder / "slides.csv")
    archive.calibrate(label=None)
    return folder


@pytest.fixture
def archive(whole: Path, tmp_path: Path) -> Archive:
    shutil.copytree(whole / "archive", tmp_path / "archive")
    return Archive.open(tmp_path / "archive")


def list_what(archive: ArchiveFolder, *, deep: bool = False) -> set[tuple[str | None, str]]:
    assert isinstance(archive, Archive)
    return {(problem.slide_id, problem.kind) for problem in archive.verify(deep=deep).problems}


def flip(path: Path, place: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 4
    path.write_bytes(data)


def test_a_whole_archive_has_no_problems_and_no_foreign_files(archive: Archive) -> None:
    for deep in (False, True):
        verification = archive.verify(deep=deep)
        assert (verification.checked, verification.problems, verification.foreign) == (SLIDES, (), ())
        assert verification.orphans == ()
    assert archive.verify(repair=True, deep=True).mended == ()


@pytest.mark.parametrize(
    ("column", "value", "kind", "mends"),
    [
        ("diagnosis", "'kind 7'", "metadata", False),
        ("patient_id", "'P99'", "metadata", False),
        ("ki67", "ki67 + 1", "metadata", False),
        ("report", "replace(report, 'No lymph', 'A lymph')", "report", False),
        ("report_tokens", "' benign '", "language", True),
        ("record_tokens", "' benign '", "words", True),
    ],
)
def test_a_changed_value_is_noticed(archive: Archive, column: str, value: str, kind: str, mends: bool) -> None:
    engine_table_of(archive.store).update(where="slide_id = 'slide-03'", values_sql={column: value})
    assert ("slide-03", kind) in list_what(archive)
    assert archive.search(like="slide-03", k=3).results
    left = {(problem.slide_id, problem.kind) for problem in archive.verify(repair=True).problems}
    assert (("slide-03", kind) in left) is not mends
    if mends:
        assert list_what(archive, deep=True) == set()


def test_vectors_are_made_anew_from_features(archive: Archive) -> None:
    before = archive.get("slide-05").signature
    archive.store.upsert(
        [
            slide.__class__(slide.record, archive.get("slide-06").signature, slide.language)
            for slide in archive.store.get(["slide-05"])
        ]
    )
    assert list_what(archive) == set()
    assert list_what(archive, deep=True) == {("slide-05", "signature")}
    verification = archive.verify(deep=True, repair=True)
    assert verification.problems == ()
    assert [mend.slide_id for mend in verification.mended] == ["slide-05"]
    assert archive.get("slide-05").signature == before


def test_damaged_features_are_taken_away_and_made_anew_by_the_next_run(archive: Archive, whole: Path) -> None:
    flip(archive.layout.bag("slide-01"))
    flip(archive.layout.bag("slide-02").with_suffix(".json"))
    assert list_what(archive) == {("slide-01", "bag"), ("slide-02", "bag")}
    archive.verify(repair=True)
    archive.index([whole / "features"])
    assert list_what(archive, deep=True) == set()


@pytest.mark.parametrize("name", ["calibration", "fusion", "manifest", "manifest_copy"])
@pytest.mark.parametrize("place", [0.1, 0.6, 0.97])
def test_a_damaged_side_file_is_noticed_and_stops_no_search(archive: Archive, name: str, place: float) -> None:
    flip(getattr(archive.layout, name), place)
    opened = Archive.open(archive.path)
    assert list_what(opened) == {(None, "side file")}
    results = opened.search(like="slide-03", k=3)
    assert len(results.results) == 3
    assert getattr(archive.layout, name).name in results.warnings[0]
    verification = opened.verify(repair=True)
    assert verification.problems == ()
    assert len(verification.mended) == 1
    assert not any("damaged" in warning for warning in opened.search(like="slide-03").warnings)


@pytest.mark.parametrize("name", ["erasure", "tombstones"])
def test_what_is_remembered_of_removals_is_checked_and_not_forgotten_silently(archive: Archive, name: str) -> None:
    archive.remove(["slide-04"])
    path = getattr(archive.layout, name)
    flip(path)
    archive.update("slide-03", {"organ": "lung"})
    assert path.exists() == (name == "tombstones")
    assert {kind for _, kind in list_what(archive)} <= {"side file"}
    assert archive.verify(repair=True).problems == ()


def test_what_index_refuses_of_removed_slides_verify_names_and_mends(archive: Archive) -> None:
    archive.remove(["slide-04"])
    write_checked_json(archive.layout.tombstones, {"key": "00", "removed": [{"content": "whole, but of another kind"}]})
    assert list_what(archive) == {(None, "side file")}
    assert archive.verify(repair=True).problems == ()
    assert not archive.layout.tombstones.exists()


def test_a_writer_puts_damaged_side_files_aside(archive: Archive) -> None:
    flip(archive.layout.calibration)
    archive.update("slide-03", {"organ": "lung"})
    aside = archive.layout.calibration.with_name("calibration.json.damaged")
    assert aside.exists()
    assert not archive.layout.calibration.exists()
    assert archive.verify().orphans == (aside,)


def test_damaged_lines_of_logs_are_noticed_and_left_out(archive: Archive) -> None:
    lines = archive.layout.journal.read_bytes().splitlines(keepends=True)
    archive.layout.journal.write_bytes(b"".join([lines[0], lines[1].replace(b"event", b"evenT"), *lines[2:]]))
    assert list_what(archive) == {(None, "log")}
    assert archive.verify(repair=True).problems == ()
    assert archive.layout.journal.read_bytes().splitlines(keepends=True) == [lines[0], *lines[2:]]


@pytest.mark.parametrize("part", ["data", "_indices"])
def test_a_flip_in_a_file_of_the_store_is_noticed_and_the_store_made_anew(archive: Archive, part: str) -> None:
    archive.store.optimize()
    before = archive.store.get(archive.store.slides())
    files = [path for path in (archive.layout.store / "slides.lance" / part).rglob("*") if path.is_file()]
    for path in files:
        flip(path)
    assert (None, "store") in list_what(archive, deep=True)
    verification = archive.verify(deep=True, repair=True)
    assert not [problem for problem in verification.problems if problem.kind != "metadata"]
    assert archive.store.slides() == [slide.record.slide_id for slide in before]
    kept = {slide.record.slide_id for slide in before} - {problem.slide_id for problem in verification.problems}
    assert [s for s in archive.store.get(archive.store.slides()) if s.record.slide_id in kept] == [
        slide for slide in before if slide.record.slide_id in kept
    ]


def test_rows_that_cannot_be_read_are_named_for_indexing_again(archive: Archive, whole: Path) -> None:
    first = set((archive.layout.store / "slides.lance" / "data").iterdir())
    late = archive.get("slide-30"), archive.get("slide-31")
    archive.store.upsert(late)
    [new] = set((archive.layout.store / "slides.lance" / "data").iterdir()) - first
    data = bytearray(new.read_bytes())
    data[: len(data) * 9 // 10] = bytes(len(data) * 9 // 10)
    new.write_bytes(data)
    verification = archive.verify(repair=True)
    lost = {"slide-30", "slide-31"} - set(archive.store.slides())
    named = {one.slide_id for one in (*verification.mended, *verification.problems)}
    assert {"slide-30", "slide-31"} <= named
    assert len(archive) == SLIDES - len(lost)
    archive.index([whole / "features"], whole / "slides.csv")
    assert len(archive) == SLIDES


def test_every_file_is_named_in_the_docs(archive: Archive) -> None:
    archive.search(text="carcinoma", k=3)
    archive.remove(["slide-00"])
    reencode(archive, SpaceChange(untrained=True))
    flip(archive.layout.fusion)
    archive.update("slide-03", {"organ": "lung"})
    archive.search(text="carcinoma", k=3)
    assert archive.verify().foreign == ()
    named = re.findall(r"^\| `([^`]+)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    patterns = [f"{name}*" if name.endswith("/") else name for name in named if name != "spaces/NNNN/"]
    for path in (one for one in archive.path.rglob("*") if not one.is_dir()):
        name = re.sub("^spaces/[0-9]{4}/", "spaces/NNNN/", path.relative_to(archive.path).as_posix())
        assert any(fnmatchcase(name, pattern) for pattern in patterns), name


def test_files_of_others_are_named_and_left_alone(archive: Archive) -> None:
    strangers = {archive.path / "notes.txt", archive.layout.bags / "copy.json", archive.layout.space / "old.json"}
    for path in strangers:
        path.write_text("x")
    assert set(archive.verify(repair=True).foreign) == strangers
    assert all(path.exists() for path in strangers)


def test_whole_features_of_a_killed_run_stay_and_halves_go(archive: Archive) -> None:
    bag = archive.layout.bag("slide-07")
    whole = archive.layout.bags / "00" / f"{'0' * 32}.safetensors"
    half = archive.layout.bags / "00" / f"{'1' * 32}.safetensors"
    whole.parent.mkdir(exist_ok=True)
    for suffix in (".safetensors", ".json"):
        shutil.copy(bag.with_suffix(suffix), whole.with_suffix(suffix))
    half.write_bytes(bag.read_bytes()[:100])
    assert set(archive.verify().orphans) == {whole, whole.with_suffix(".json"), half}
    archive.verify(repair=True)
    assert set(archive.verify().orphans) == {whole, whole.with_suffix(".json")}


def test_a_manifest_of_an_older_version_is_checked_from_the_next_write_on(archive: Archive) -> None:
    content = read_checked_json(archive.layout.manifest)
    archive.layout.manifest_copy.unlink()
    archive.layout.manifest.write_text(json.dumps({**content, "format": 3}))
    assert list_what(Archive.open(archive.path)) == set()
    archive.update("slide-03", {"organ": "lung"})
    # Older versions cannot read checksums, and say so by this number.
    assert read_checked_json(archive.layout.manifest)["format"] == 4
    assert archive.layout.manifest.read_bytes() == archive.layout.manifest_copy.read_bytes()
    assert b'"checksum"' in archive.layout.manifest.read_bytes()
    write_checked_json(archive.layout.manifest_copy, {**content, "created": "another"})
    assert list_what(Archive.open(archive.path)) == {(None, "side file")}


def test_a_sample_of_flips_is_noticed_and_stops_no_search_beside_the_store(archive: Archive) -> None:
    rng = random.Random(16)
    files = [path for path in sorted(archive.path.rglob("*")) if path.is_file() and path.stat().st_size]
    for path in [one for one in rng.sample(files, 24) if archive.layout.store not in one.parents]:
        before = path.read_bytes()
        flip(path, rng.random())
        opened = Archive.open(archive.path)
        assert opened.search(like="slide-03", k=3).results
        assert opened.verify(deep=True).problems, path
        path.write_bytes(before)
    assert archive.verify(deep=True).problems == ()


def test_slides_that_are_gone_are_named_by_the_journal_unless_they_were_removed(archive: Archive, whole: Path) -> None:
    archive.remove(["slide-03"])
    archive.remove(["slide-04"], now=True)
    assert list_what(archive) == set()
    engine_table_of(archive.store).delete("slide_id = 'slide-05'")
    assert list_what(archive) == {("slide-05", "lost")}
    repaired = archive.verify(repair=True)
    assert [mend.slide_id for mend in repaired.mended] == ["slide-05"]
    assert repaired.problems == ()
    assert archive.verify(repair=True).mended == ()
    archive.index([whole / "features" / "slide-05.h5"], whole / "slides.csv")
    assert "slide-05" in archive
    assert list_what(archive) == set()


def test_an_archive_without_the_files_of_its_indexes_is_mended_with_all_slides(archive: Archive) -> None:
    for index in (archive.layout.store / "slides.lance" / "_indices").iterdir():
        shutil.rmtree(index)
    again = Archive.open(archive.path)
    assert len(again) == SLIDES
    assert any("--repair" in warning for warning in again.warnings)
    repaired = again.verify(repair=True)
    assert (repaired.checked, repaired.problems) == (SLIDES, ())
    assert not any("--repair" in warning for warning in again.warnings)


def test_a_lock_that_cannot_be_taken_is_said_in_words(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", refuse)
        assert len(Archive.open(archive.path)) == SLIDES
        with pytest.raises(ArchiveError, match="No locks available"):
            archive.update("slide-01", {"diagnosis": "x"})
    archive.layout.lock.unlink(missing_ok=True)
    archive.layout.lock.mkdir()
    with pytest.raises(ArchiveError, match="lock"):
        archive.update("slide-01", {"diagnosis": "x"})


@pytest.mark.parametrize("name", ["chance", "unmatched", "tombstones", "calibration", "fusion", "reading"])
def test_a_side_file_that_nothing_can_be_read_of_is_a_problem_and_no_end(archive: Archive, name: str) -> None:
    path: Path = getattr(archive.layout, name)
    path.unlink(missing_ok=True)
    path.mkdir()
    assert list_what(archive) == {(None, "side file")}
    assert archive.search(like="slide-01", k=3)
    archive.verify(repair=True)
    assert list_what(archive) == set()


def test_whole_features_of_another_state_stay_while_the_file_is_away(whole: Path, archive: Archive) -> None:
    mine, other = (archive.layout.bag(f"slide-0{number}") for number in (1, 2))
    for suffix in (".safetensors", ".json"):
        shutil.copyfile(other.with_suffix(suffix), mine.with_suffix(suffix))
    source = whole / "features" / "slide-01.h5"
    away = source.rename(source.with_suffix(".away"))
    try:
        assert {("slide-01", "bag"), ("slide-01", "file")} <= list_what(archive)
        archive.verify(repair=True)
        assert mine.is_file()
    finally:
        away.rename(source)
    archive.verify(repair=True)
    assert not mine.exists()
