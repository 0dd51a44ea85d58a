"""Pairs from tables and archives, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.errors import BadTable, ConfigurationError, InputError, MissingExtra
from histoseek.progress import SilentReporter
from histoseek.training.pairs import TrainingPair, archive_pairs, load_pair_bag, read_pairs, visible_pairs
from histoseek.training.slides import train as training
from tests.training.helpers import SMALL, slides_of, write_pairs


def _table(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def features(tmp_path: Path) -> Path:
    folder = tmp_path / "features"
    folder.mkdir()
    write_pairs(folder, patients=3)
    return folder


def test_pairs_of_a_table(tmp_path: Path, features: Path) -> None:
    table = _table(
        tmp_path,
        "slide_id,case_id,patient_id,report,diagnosis\n"
        "s001-0,c1,p1,Ductal  carcinoma,IDC\ns000-0,,,lobular carcinoma,\ns002-0,c2,,DUCTAL carcinoma,IDC\n",
    )
    pairs = read_pairs(table, features)
    ids = [(pair.slide_id, pair.case_id, pair.patient_id, pair.diagnosis) for pair in pairs]
    assert ids == [("s000-0", "s000-0", "s000-0", ""), ("s001-0", "c1", "p1", "IDC"), ("s002-0", "c2", "c2", "IDC")]
    assert pairs[1].text_key == pairs[2].text_key != pairs[0].text_key
    assert load_pair_bag(pairs[0]).features.shape == (24, 24)


def test_a_real_feature_file_makes_a_pair(tmp_path: Path, shared_data: Path) -> None:
    stem = next((shared_data / "features").glob("*.pt")).stem
    pairs = read_pairs(_table(tmp_path, f"slide_id,report\n{stem},ductal carcinoma\n"), shared_data / "features")
    assert load_pair_bag(pairs[0]).features.shape == (1242, 768)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("slide_id,report\ns000-0,a\nx1,b\nx2,b\nx3,b\nx4,b\n", "4 slides without a feature file (x1, x2, x3, ...)"),
        ("slide_id,report\ns000-0,a\ns001-0,\ns002-0,  \n", "2 slides without a report (s001-0, s002-0)"),
        ("slide_id,case_id\ns000-0,a\n", "1 slides without a report (s000-0)"),
        ("case_id,report\ns000-0,a\n", "1 rows without a slide_id (s000-0)"),
        ("slide_id,report\ns000-0,a\ns000-0,b\n", "twice"),
    ],
)
def test_bad_tables_are_refused_by_name(tmp_path: Path, features: Path, rows: str, reason: str) -> None:
    table = _table(tmp_path, rows)
    with pytest.raises(BadTable) as caught:
        read_pairs(table, features)
    assert reason in str(caught.value) and str(table) in str(caught.value)


def test_two_feature_files_of_one_slide_are_refused(tmp_path: Path, features: Path) -> None:
    (features / "again").mkdir()
    (features / "again" / "s000-0.h5").write_bytes((features / "s000-0.h5").read_bytes())
    with pytest.raises(BadTable, match="two feature files"):
        read_pairs(_table(tmp_path, "slide_id,report\ns000-0,a\n"), features)


def test_pairs_of_an_archive(indexed: Path) -> None:
    archive = Archive.open(indexed)
    pairs = archive_pairs(archive)
    records = {record.slide_id: record for record in archive.records()}
    assert len(pairs) == 10 and len({pair.patient_id for pair in pairs}) == 5
    for pair in pairs:
        record = records[pair.slide_id]
        assert (pair.case_id, pair.patient_id) == (record.case_id, record.patient_id)
        assert pair.report == (record.report or "").strip() and pair.diagnosis == record.diagnosis
        assert np.isfinite(load_pair_bag(pair).features).all()


def test_archives_without_reports_or_bags_are_refused(indexed: Path, cohort: Path, tmp_path: Path) -> None:
    slide = next(path for path in sorted(cohort.iterdir()) if path.suffix not in (".csv", ".json"))
    bare, stripped = tmp_path / "bare", tmp_path / "stripped"
    Archive.create(bare).index([slide])
    with pytest.raises(InputError, match="no slide in it has a report"):
        archive_pairs(Archive.open(bare))
    reports = tmp_path / "reports.csv"
    reports.write_text(f"file,report\n{slide.name},Ductal carcinoma.\n", encoding="utf-8")
    Archive.create(stripped).index([slide], None, reports)
    (pair,) = archive_pairs(Archive.open(stripped))
    assert (pair.report, pair.patient_id) == ("Ductal carcinoma.", pair.slide_id)
    stored = Archive.open(stripped)
    stored.bags.remove([pair.slide_id])
    with pytest.raises(InputError, match=f"1 slides without cached features .{pair.slide_id}"):
        archive_pairs(Archive.open(stripped))


def test_what_teaches_nothing_is_refused(tmp_path: Path, features: Path) -> None:
    pairs = write_pairs(features, patients=12)
    same = [replace(pair, report="No tumour.") for pair in pairs]
    with pytest.raises(InputError, match="all reports are the same text"):
        training.train(slides_of(same), "minilm", SMALL, tmp_path, SilentReporter())
    with pytest.raises(InputError, match="no slide-report pairs"):
        training.train(slides_of([]), "minilm", SMALL, tmp_path, SilentReporter())
    with pytest.raises(InputError, match=r"12 slides in more than one pair \(s000-0"):
        training.train(slides_of([*pairs, *same]), "minilm", SMALL, tmp_path, SilentReporter())
    with pytest.raises(ConfigurationError, match="At most 8 is possible"):
        training.train(slides_of(pairs), "minilm", SMALL, tmp_path, SilentReporter())


@pytest.mark.parametrize("package", ["torch", "nystrom_attention", "matplotlib"])
def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    pairs = [TrainingPair(str(i), str(i), str(i), str(i), tmp_path / "none") for i in range(9)]
    with pytest.raises(MissingExtra, match=r"histoseek\[train\]"):
        training.train(slides_of(pairs), "minilm", SMALL, tmp_path, SilentReporter())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch", 1),
        ("tiles", 8),
        ("learning_rate", 0.0),
        ("warmup", 1.0),
        ("dropout", 1.0),
        ("patience", 0),
        ("precision", "fp16"),
        ("precision", "bf16"),
        ("device", "tpu"),
        ("sizes", {"heads": 5}),
        ("mosaic_size", 17),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError):
        replace(SMALL, **{name: value})


class _Judge:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def judge(self, sentences: Sequence[str]) -> tuple[bool, ...]:
        self.asked += sentences
        return tuple("cyst" not in sentence for sentence in sentences)


def test_visible_pairs_keep_what_a_slide_shows() -> None:
    report = "Glands are fused. A cyst is lined by mucosa. Margins are free. Electronically signed by Dr. John Smith."
    whole = TrainingPair("a", "a", "a", report, Path("a.h5"))
    nothing = replace(whole, slide_id="b", report="Margins are free.")
    assert [pair.report for pair in visible_pairs([whole, nothing])] == [
        "Glands are fused. A cyst is lined by mucosa.",
        "Margins are free.",
    ]
    judge = _Judge()
    assert [pair.report for pair in visible_pairs([whole, whole], judge)] == ["Glands are fused."] * 2
    assert judge.asked == ["Glands are fused.", "A cyst is lined by mucosa."]
