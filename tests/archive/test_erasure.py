"""What was removed or replaced is nowhere in the archive's folder, and removals are remembered without names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from histoseek.api import Archive
from histoseek.archive.indexing.ingest import IndexReport
from histoseek.archive.journal import Journal, SlideRefusal
from histoseek.archive.stores.ranking_cache import RankingCache
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.bag import sidecar_path
from histoseek.encoders.recipe import Recipe
from histoseek.errors import DamagedArchive, OutdatedSnapshot
from histoseek.files import parse_checked_line, read_checked_json, write_checked_json
from tests.archive.feature_files import write_feature_files
from tests.archive.leftover_bytes import find_leftovers
from tests.cli.process import histoseek

STEMS = [f"xenolith-{letter * 3}" for letter in "abcdefghijklmnopqrstuvwx"]
GONE = STEMS[5]
OTHER = STEMS[6]


def describe(stem: str) -> dict[str, str]:
    """The row of a slide, in which every value is its own."""
    letters = stem[-3:]
    return {
        "slide_id": stem,
        "patient_id": f"quincunx-{letters}",
        "diagnosis": f"palimpsest{letters}",
        "report": f"Colon, biopsy: adenocarcinoma beside zebrawort{letters}, which others lack.",
    }


def fill(path: Path, text_encoder: str = "none") -> Archive:
    """Slides taken in by two runs."""
    folder = write_feature_files(path.parent / "slides", STEMS, tiles=6, dimension=12)
    archive = Archive.create(path, Recipe(encoder="features:test"), text_encoder=text_encoder)
    for stems in (STEMS[:20], STEMS[20:]):
        report = archive.index([folder / f"{stem}.h5" for stem in stems], [describe(stem) for stem in stems])
        assert (report.added, report.refused) == (len(stems), ())
    return archive


def list_texts(archive: Archive, stem: str) -> dict[str, str]:
    """What nothing may be left of, by what it is called."""
    row, record = describe(stem), archive.get(stem).record
    return {
        "slide id": stem,
        "patient": row["patient_id"],
        "diagnosis": row["diagnosis"],
        "report": row["report"],
        "report word": f"zebrawort{stem[-3:]}",
        "report token": f"zebrawort{stem[-2:]}",
        "file": f"{stem}.h5",
        "content": record.file_fingerprint,
        "name of its features": hashlib.sha256(stem.encode()).hexdigest()[:32],
    }


def list_vectors(archive: Archive, stem: str) -> dict[str, NDArray[Any]]:
    slide = archive.get(stem)
    with h5py.File(archive.path.parent / "slides" / f"{stem}.h5") as file:
        features = np.asarray(file["features"])
    texts = slide.language.report_vector
    vectors = {
        "features": features,
        "global vector": slide.signature.global_vector,
        "mosaic": slide.signature.mosaic,
    }
    return vectors if texts is None else {**vectors, "report vector": texts}


def find(archive: Archive, texts: Mapping[str, str], vectors: Mapping[str, NDArray[Any]]) -> set[str]:
    return {leftover.what for leftover in find_leftovers(archive.path, texts, vectors)}


def let_due(archive: Archive) -> None:
    """As when the time has passed in which readers may need older versions."""
    state = read_checked_json(archive.layout.erasure)
    write_checked_json(archive.layout.erasure, {**state, "since": "2020-01-01T00:00:00+00:00"})


def test_nothing_is_left_of_a_removed_slide(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive", text_encoder="minilm")
    texts, vectors = list_texts(archive, GONE), list_vectors(archive, GONE)
    assert find(archive, texts, vectors) == {*texts, *vectors}
    opened = {leftover.what for leftover in find_leftovers(archive.path, texts) if leftover.how == "block opened"}
    assert {"report", "report word", "diagnosis"} <= opened
    kept = archive.get(OTHER)
    archive.remove([GONE], now=True)
    assert find_leftovers(archive.path, texts, vectors) == []
    assert archive.pending_erasure is None
    assert archive.get(OTHER).record == kept.record
    assert archive.verify().problems == ()
    tokens = archive.get(OTHER).language.report_tokens or ""
    own = next(token for token in tokens.split() if "zebra" in token)
    assert [hit.slide_id for hit in archive.store.text({own: 1.0}, 3, None)] == [OTHER]
    other = list_texts(archive, OTHER)
    assert find(archive, other, list_vectors(archive, OTHER)) == {*other, *vectors}


def test_nothing_is_left_of_a_replaced_report(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive", text_encoder="minilm")
    texts, vectors = list_texts(archive, GONE), list_vectors(archive, GONE)
    old = {name: texts[name] for name in ("report", "report word", "report token", "diagnosis", "patient")}
    vector = {"report vector": vectors["report vector"]}
    changes = {"report": "Lung, biopsy: squamous cell carcinoma.", "diagnosis": "none", "patient_id": "P-new"}
    archive.update(GONE, changes, now=True)
    assert find_leftovers(archive.path, old, vector) == []
    assert archive.get(GONE).record.report == changes["report"]
    assert archive.get(GONE).language.report_vector is not None


def test_what_is_removed_later_waits_until_it_is_due(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    texts = list_texts(archive, GONE)
    archive.remove([GONE])
    archive.update(OTHER, {"organ": "lung"})
    archive.index([tmp_path / "slides"])
    pending = archive.pending_erasure
    assert pending is not None
    assert (pending.removed, pending.replaced, pending.is_due) == (1, 1, False)
    assert archive.stats().pending_erasure == pending
    assert "report word" in find(archive, texts, {})
    let_due(archive)
    archive.index([tmp_path / "slides"])
    assert find_leftovers(archive.path, texts) == []
    assert archive.stats().pending_erasure is None


def test_a_command_that_only_reads_erases_what_is_due(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    texts = list_texts(archive, GONE)
    done = histoseek("remove", GONE, "--archive", archive.path)
    assert "with --now at once" in done.stdout
    waiting = json.loads(histoseek("stats", "--json", "--archive", archive.path).stdout)["pending_erasure"]
    assert (waiting["removed"], waiting["replaced"], waiting["since"] < waiting["due"]) == (1, 0, True)
    let_due(archive)
    listed = histoseek("list", "--archive", archive.path)
    assert (listed.returncode, GONE in listed.stdout) == (0, False)
    assert find_leftovers(archive.path, texts) == []
    assert "erased" not in histoseek("remove", OTHER, "--now", "--archive", archive.path).stdout
    assert archive.pending_erasure is None


@pytest.mark.parametrize(("owner", "step"), [(SlideTable, "erase"), (RankingCache, "clear"), (SlideTable, "slides")])
def test_an_erasure_that_is_cut_off_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, step: str
) -> None:
    archive = fill(tmp_path / "archive")
    texts = list_texts(archive, GONE)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, die)
        with pytest.raises(KeyboardInterrupt):
            archive.remove([GONE], now=True)
    assert GONE not in archive
    assert archive.pending_erasure is not None
    let_due(archive)
    archive.erase_due()
    assert find_leftovers(archive.path, texts) == []
    assert archive.verify().problems == ()


def test_a_note_of_what_waits_that_cannot_be_read_counts_as_due(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    archive.remove([GONE])
    archive.layout.erasure.write_text("{")
    pending = archive.pending_erasure
    assert pending is not None
    assert pending.is_due


def test_snapshots_of_what_was_erased_are_outdated(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    snapshot = archive.snapshot()
    archive.remove([GONE], now=True)
    with pytest.raises(OutdatedSnapshot):
        snapshot.get(OTHER)
    assert len(archive) == len(STEMS) - 1


def test_lists_of_files_and_other_spaces_forget_a_removed_slide(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    record, texts = archive.get(GONE).record, list_texts(archive, GONE)
    twin = SlideRefusal("/x/twin.h5", "DuplicateSlide", f"/x/twin.h5: has the content of {record.uri}")
    Journal(archive.layout).record_refusals([SlideRefusal(record.uri, "UnreadableSlide", "broken"), twin])
    archive.add_metadata([{"slide_id": stem, "organ": "colon"} for stem in STEMS if stem != GONE])
    assert GONE in archive.layout.unmatched.read_text()
    for number in ("0000", "0002"):
        (archive.layout.spaces / number).mkdir()
        (archive.layout.spaces / number / "rows").write_text(texts["report"])
    (archive.path / ".journal.jsonl.x.part").write_text(GONE)
    archive.remove([GONE], now=True)
    assert find_leftovers(archive.path, texts) == []
    assert "twin.h5" in archive.layout.refused.read_text()
    # The table goes on having its row.
    archive.index([tmp_path / "slides"], [describe(stem) for stem in STEMS])
    assert find_leftovers(archive.path, {"slide id": GONE}) == []


def index_again(archive: Archive, paths: Sequence[Path]) -> IndexReport:
    report = archive.index(paths)
    assert report.refused == ()
    return report


def test_folders_pass_removed_slides_over_and_naming_one_takes_it_in(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    folder = tmp_path / "slides"
    archive.remove([GONE, OTHER], now=True)
    (folder / f"{OTHER}.h5").rename(folder / "renamed.h5")
    report = index_again(archive, [folder])
    assert (report.added, report.unchanged) == (0, len(STEMS) - 2)
    assert report.passed_over["removed earlier"] == 2
    assert any("name a file itself" in warning for warning in report.warnings)
    report = index_again(archive, [folder, folder / f"{GONE}.h5"])
    assert (report.added, dict(report.passed_over)) == (1, {"removed earlier": 1})
    # From now on it is a slide as any other.
    report = index_again(archive, [folder])
    assert (report.unchanged, dict(report.passed_over)) == (len(STEMS) - 1, {"removed earlier": 1})
    kept = archive.layout.tombstones.read_text()
    assert not any(word in kept for word in (GONE, OTHER, "quincunx", "slides"))


def test_a_slide_that_goes_under_another_id_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    archive.index([tmp_path / "slides"], [{"slide_id": "renamed", "file": f"{GONE}.h5"}])
    assert GONE not in archive
    archive.erase()
    bag = hashlib.sha256(GONE.encode()).hexdigest()[:32]
    leftovers = find_leftovers(archive.path, {"bag": bag, "id in a list": f'"{GONE}"'})
    assert leftovers == []
    assert "renamed" in archive
    assert index_again(archive, [tmp_path / "slides"]).passed_over == {}


def test_removed_slides_come_back_neither_as_new_features_nor_by_a_tables_id(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    archive.remove([GONE, OTHER], now=True)
    made_anew = write_feature_files(tmp_path / "anew", ["filler", GONE, "scan"], tiles=7, dimension=12)
    rows = [{"slide_id": OTHER, "file": "scan.h5"}]
    report = archive.index([made_anew], rows)
    assert (report.added, dict(report.passed_over)) == (1, {"removed earlier": 2})
    assert "filler" in archive
    report = archive.index([made_anew / f"{GONE}.h5", made_anew / "scan.h5"], rows)
    assert (report.added, dict(report.passed_over)) == (2, {})
    assert any("2 slides were removed" in warning and "taken in again" in warning for warning in report.warnings)
    assert {GONE, OTHER} <= {record.slide_id for record in archive}


def test_without_what_is_remembered_no_folder_is_indexed(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    archive.remove([GONE], now=True)
    archive.layout.tombstones.write_text("{")
    with pytest.raises(DamagedArchive, match="which slides were removed"):
        archive.index([tmp_path / "slides"])
    with pytest.raises(DamagedArchive, match="which slides were removed"):
        archive.remove([OTHER])
    assert OTHER in archive
    assert archive.index([tmp_path / "slides" / f"{STEMS[0]}.h5"]).unchanged == 1
    archive.verify(repair=True)
    assert archive.index([tmp_path / "slides"]).added == 1


def test_what_others_put_beside_the_spaces_stops_no_erasure(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    texts = list_texts(archive, GONE)
    moved = tmp_path / "other disk"
    moved.mkdir()
    (moved / "rows").write_text(texts["report"])
    (archive.layout.spaces / "0000").symlink_to(moved)
    foreign = archive.layout.spaces / ".DS_Store"
    foreign.write_text("x")
    archive.remove([GONE], now=True)
    assert find_leftovers(archive.path, texts) == []
    assert (foreign.exists(), (moved / "rows").exists(), (archive.layout.spaces / "0000").exists()) == (
        True,
        True,
        False,
    )


def test_commands_that_fail_erase_what_is_due(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    texts = list_texts(archive, GONE)
    archive.remove([GONE])
    let_due(archive)
    shown = histoseek("show", GONE, "--archive", archive.path)
    assert (shown.returncode, "no slide with this id" in shown.stderr) == (2, True)
    assert find_leftovers(archive.path, texts) == []


def test_a_clock_that_was_set_back_delays_no_erasure(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    archive.remove([GONE])
    state = read_checked_json(archive.layout.erasure)
    write_checked_json(archive.layout.erasure, {**state, "since": "2999-01-01T00:00:00+00:00"})
    pending = archive.pending_erasure
    assert pending is not None
    assert pending.is_due


def test_names_in_lists_are_removed_however_they_are_written(tmp_path: Path) -> None:
    stems = ["Präparat Müller", 'quo"te\\name', "29"]
    folder = write_feature_files(tmp_path / "slides", [*STEMS[:6], *stems], tiles=6, dimension=12)
    archive = Archive.create(tmp_path / "archive", Recipe(encoder="features:test"), text_encoder="none")
    assert archive.index([folder]).added == 9
    for stem in stems:
        uri = archive.get(stem).record.uri
        refused = SlideRefusal(uri, "UnreadableSlide", f"{uri}: {stem!r} is broken, as is /other/{stem}.svs")
        Journal(archive.layout).record_refusals([refused])
    archive.remove(stems, now=True)
    assert find_leftovers(archive.path, {stem: stem for stem in stems[:2]}) == []
    lines = [parse_checked_line(line) for line in archive.layout.refused.read_bytes().splitlines()]
    forms = [repr(stem)[1:-1] for stem in stems[:2]] + ["/29.", "'29'"]
    assert not any(form in line["reason"] for line in lines for form in forms)
    assert all(datetime.fromisoformat(line["time"]) and line["run"].startswith("20") for line in lines)


def test_what_older_versions_left_behind_waits_once_their_rows_are_guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = fill(tmp_path / "archive")
    texts = list_texts(archive, GONE)
    # As an older version removes, and keeps neither checksums nor a note of what waits.
    archive.store.delete([GONE])
    archive.layout.bag(GONE).unlink()
    sidecar_path(archive.layout.bag(GONE)).unlink()
    monkeypatch.setattr(SlideTable, "list_unguarded", SlideTable.slides)
    assert archive.pending_erasure is None
    archive.index([tmp_path / "slides" / f"{STEMS[0]}.h5"])
    assert archive.pending_erasure is not None
    let_due(archive)
    archive.erase_due()
    assert find_leftovers(archive.path, texts) == []


def test_a_nightly_index_goes_on_when_all_slides_are_removed(tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive")
    archive.remove(STEMS, now=True)
    done = histoseek("index", "--features", tmp_path / "slides", "--archive", archive.path)
    assert (done.returncode, "24 removed earlier" in done.stdout + done.stderr) == (0, True)
    assert (len(archive), archive.pending_erasure) == (0, None)
