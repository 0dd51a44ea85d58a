"""What a run leaves behind: more than 300 planted identifiers, and none in any output, log or file but known misses."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from histoseek.api import Archive
from tests.reports.planted import Document, documents
from tests.reports.planted_layouts import TEST, TUNING

ROUNDS = 2
RUN = "import logging; logging.basicConfig(level=logging.DEBUG); from histoseek.cli import main; main()"
PATIENT = "Featherstonehaugh, Peregrina"


@dataclass(frozen=True)
class Run:
    """A run of the command line on planted reports: what it printed and what it wrote."""

    documents: Sequence[Document]
    archive: Path
    printed: str

    @property
    def values(self) -> set[str]:
        """Planted values that stand in no layout's own words, so that finding one means that it was kept."""
        prose = " ".join((*TUNING.values(), *TEST.values())).casefold()
        found = {one.text[item.start : item.end] for one in self.documents for item in one.planted}
        return {value for value in found if len(value) >= 5 and value.casefold() not in prose}

    @property
    def logs(self) -> str:
        """All that was printed, and all files of the archive that are text."""
        files = [path for path in self.archive.iterdir() if path.suffix in (".json", ".jsonl")]
        return self.printed + "".join(path.read_text(encoding="utf-8") for path in files)


def run(folder: Path, rounds: int, *options: str) -> Run:
    """Index one feature file a report, with reports in several formats, some of them broken."""
    made = documents({**TUNING, **TEST}, rounds)
    write_features(folder / "features", len(made))
    write_reports(folder / "reports", made)
    with (folder / "slides.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["slide_id", "case_id", "patient_name", "dob", "organ"])
        rows.writerows([f"slide-{i:03d}", f"C{i:03d}", PATIENT, "1931-02-03", "lung"] for i in range(len(made)))
    archive = folder / "archive"
    command = [sys.executable, "-c", RUN, "index", "--features", str(folder / "features"), "--archive", str(archive)]
    command += ["--metadata", str(folder / "slides.csv"), "--reports", str(folder / "reports"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0, done.stderr
    return Run(made, archive, done.stdout + done.stderr)


def write_features(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        with h5py.File(folder / f"slide-{number:03d}.h5", "w") as file:
            file["features"] = rng.standard_normal((4, 16)).astype(np.float32)


def write_reports(folder: Path, made: Sequence[Document]) -> None:
    """By turns as a table row, a line of JSON and a text file; then files and rows that must be refused."""
    folder.mkdir()
    named = [(f"C{number:03d}", one.text) for number, one in enumerate(made)]
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["case_id", "report", "patient_name"])
        rows.writerows((case, f"{text}\nSeen: Mrs. Peregrina Featherstonehaugh.", PATIENT) for case, text in named[::3])
        rows.writerow(["", named[0][1], PATIENT])
        rows.writerow(["C001", named[1][1], PATIENT, named[2][1]])
        rows.writerow(["GHOST", named[2][1], PATIENT])
    lines = [json.dumps({"case": case, "text": text}) for case, text in named[1::3]]
    (folder / "b.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for case, text in named[2::3]:
        (folder / f"{case}.txt").write_text(text, encoding="utf-8")
    (folder / "cut.json").write_text(json.dumps([{"id": "C1", "text": named[0][1]}])[:-9], encoding="utf-8")
    (folder / "cut.jsonl").write_text(lines[0][:-5], encoding="utf-8")
    with (folder / "headless.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((one.text[item.start : item.end] for item in one.planted) for one in made)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\n" + named[0][1].encode())
    (folder / "bits.txt").write_bytes(named[0][1].encode() + bytes(range(32)) * 9)


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("cleaned"), ROUNDS)


def test_more_than_300_identifiers_are_planted(cleaned: Run) -> None:
    assert sum(len(one.planted) for one in cleaned.documents) > 400
    assert len(cleaned.values) > 300


def test_nothing_printed_or_logged_holds_an_identifier(cleaned: Run) -> None:
    assert [value for value in cleaned.values if value in cleaned.logs] == []
    assert "Peregrina" not in cleaned.logs
    assert "identifiers replaced" in cleaned.printed
    assert "DEBUG" in cleaned.printed, "the run did log"
    journal = (cleaned.archive / "journal.jsonl").read_text(encoding="utf-8")
    (entry,) = [one for one in map(json.loads, journal.splitlines()) if one["event"] == "reports"]
    assert entry["deidentified"] is True
    assert entry["removed"]["name"] > 100


def test_no_file_of_the_archive_holds_an_identifier(cleaned: Run) -> None:
    records = Archive.open(cleaned.archive).records()
    assert all(record.report for record in records)
    kept = "\n".join(f"{record.report} {record.extra}" for record in records)
    held = {value for value in cleaned.values if value in kept}
    assert len(held) / len(cleaned.values) < 0.02, held
    assert "Peregrina" not in kept
    assert "1931" not in kept
    bytes_of = [path.read_bytes() for path in cleaned.archive.rglob("*") if path.is_file()]
    found = {value for value in cleaned.values | {"Peregrina"} if any(value.encode() in data for data in bytes_of)}
    assert found <= held


def test_identifiers_are_kept_when_asked_and_then_the_search_for_them_finds_them(tmp_path: Path) -> None:
    kept = run(tmp_path, 1, "--keep-identifiers", "--text-encoder", "none")
    records = Archive.open(kept.archive).records()
    assert records[0].extra["patient_name"] == PATIENT
    texts = "\n".join(record.report or "" for record in records)
    assert sum(value in texts for value in kept.values) == len(kept.values)
    assert "identifiers are kept as they are" in kept.printed
    assert [value for value in kept.values if value in kept.logs] == []
    bytes_of = [path.read_bytes() for path in kept.archive.rglob("*") if path.is_file()]
    assert any(value.encode() in data for value in kept.values for data in bytes_of), "bytes can be searched"
