"""The command line as a user meets it: real processes, exit codes, one-line errors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histoseek.sandbox.probe import probe_confinement
from tests.cli.process import histoseek, refused
from tests.sandbox.older_kernel import write_python_without_landlock


@pytest.fixture
def archive(indexed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(indexed, tmp_path / "archive"))


def test_index_search_and_keep_in_order(cohort: Path, tmp_path: Path) -> None:
    archive, page = tmp_path / "new.archive", tmp_path / "page.html"
    files = sorted(cohort.glob("SIM-000[0-2]-*.tiff"))
    (tmp_path / "text.svs").write_text("not a slide")
    done = histoseek(
        "index", *files, tmp_path / "text.svs", "--archive", archive, "--metadata", cohort / "metadata.csv", "--json"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["added"], report["updated"], report["unchanged"]) == (6, 0, 0)
    assert set(report["refused"][0]) == {"path", "error", "reason"}
    done = histoseek("search", "--archive", archive, "--slide", files[0], "-k", 2, "--html", page, "--json")
    assert [result["rank"] for result in json.loads(done.stdout)["results"]] == [1, 2]
    assert "<!doctype html>" in page.read_text()
    assert "SIM-0001-00" in histoseek("search", "--archive", archive, "--like", "SIM-0000-00").stdout
    listed = json.loads(histoseek("list", "--archive", archive, "--where", "organ = 'lung'", "--json").stdout)
    assert [record["slide_id"] for record in listed] == ["SIM-0001-00", "SIM-0001-01"]
    assert histoseek("update", "SIM-0001-00", "organ=bone", "--archive", archive).returncode == 0
    assert "organ: bone" in histoseek("show", "SIM-0001-00", "--archive", archive).stdout
    assert histoseek("remove", "SIM-0001-00", "--archive", archive).returncode == 0
    assert json.loads(histoseek("stats", "--archive", archive, "--json").stdout)["slides"] == 5
    assert histoseek("verify", "--archive", archive).returncode == 0


def test_stains_cases_and_a_coarser_spacing(cohort: Path, tmp_path: Path) -> None:
    archive, table = tmp_path / "new.archive", tmp_path / "stains.csv"
    files = sorted(cohort.glob("SIM-000[0-2]-*.tiff"))
    table.write_text("slide_id,case_id,stain\nSIM-0000-01,A,Ki67\nSIM-0000-00,A,\nSIM-0001-00,B,\nSIM-0001-01,B,\n")
    options = ["--archive", archive, "--metadata", table, "--context-spacing", 1, "--tiles", 8]
    done = histoseek("index", *files, *options)
    assert done.returncode == 0, done.stderr
    assert "1 slide looks stained otherwise than is stated: SIM-0000-01 (Ki67, looks like H&E)" in done.stdout
    assert "stain_detected: H&E" in histoseek("show", "SIM-0000-01", "--archive", archive).stdout
    listed = histoseek("list", "--archive", archive, "--where", "stain = 'H&E'", "--json").stdout
    found = {record["slide_id"]: record["extra"]["stain_detected"] for record in json.loads(listed)}
    assert {"SIM-0000-00", "SIM-0001-00", "SIM-0001-01"} <= set(found)
    assert set(found.values()) == {"H&E"}
    assert "SIM-0000-01" not in found
    done = histoseek("search", "--archive", archive, "--case", "A", "--to", "cases", "--json")
    best = next(result for result in json.loads(done.stdout)["results"] if result["case_id"] == "B")
    assert [part["stain"] for part in best["case_parts"]] == ["H&E"]
    assert best["explanation"]["context"] != 0
    assert "context spacing" in refused("index", files[0], "--archive", archive, "--context-spacing", 2)


def test_index_says_what_reading_is_not_kept_from(
    archive: Path, cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not probe_confinement().is_complete:
        pytest.skip("the kernel lacks a part of the sandbox")
    slide = cohort / "SIM-0000-00.tiff"
    assert "not kept" not in histoseek("index", slide, "--archive", archive).stderr
    monkeypatch.setattr(sys, "executable", write_python_without_landlock(tmp_path))
    assert "not kept from: files\n" in histoseek("index", slide, "--archive", archive).stderr
    assert "not kept" not in histoseek("index", slide, "--archive", archive, "--trust").stderr


def test_bad_slides_are_one_line_each(cohort: Path, tmp_path: Path) -> None:
    archive = ["--archive", tmp_path / "a"]
    assert "no such file" in refused("index", tmp_path / "none.svs", *archive)
    (tmp_path / "empty").mkdir()
    assert "no slide files" in refused("index", tmp_path / "empty", *archive)
    (tmp_path / "text.svs").write_text("not a slide")
    Image.new("RGB", (300, 300), "pink").save(tmp_path / "field.png")
    assert "cannot be read as a slide" in refused("index", tmp_path / "text.svs", *archive)
    assert "no spacing" in refused("index", tmp_path / "field.png", *archive)
    assert "coarser than the requested" in refused("index", tmp_path / "field.png", "--spacing-of", "*=2", *archive)
    assert "no such encoder" in refused("index", cohort, "--archive", tmp_path / "b", "--encoder", "resnet9000")
    assert "weights are not on this machine" in refused(
        "index", cohort, "--archive", tmp_path / "b", "--encoder", "uni"
    )
    assert not (tmp_path / "b").exists()
    assert "is not a positive number" in refused("index", cohort, *archive, "--spacing-of", "a.svs=x")
    assert "not made for tiles at" in refused("index", cohort, *archive, "--spacing", "50")
    assert "is not a number" in refused("index", cohort, *archive, "--tiles", "many")
    (tmp_path / "meta.csv").write_text("name,organ\na,lung\n")
    assert "no id column" in refused("index", cohort, *archive, "--metadata", tmp_path / "meta.csv")
    assert "either slides or --features" in refused("index", *archive)


_INTERRUPTED_RUN = """
import os, signal
import histoseek.archive.bags as sources
# A shell that runs the tests in the background has interrupts ignored, which its children inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
original, made = sources.save_bag, []
def save_then_interrupt(*arguments):
    original(*arguments)
    made.append(1)
    if len(made) == 3:
        os.kill(os.getpid(), signal.SIGINT)
sources.save_bag = save_then_interrupt
from histoseek.cli import main
main()
"""


def test_ctrl_c_keeps_what_is_done(cohort: Path, tmp_path: Path) -> None:
    arguments = ["index", str(cohort), "--archive", str(tmp_path / "archive"), "--json"]
    command = [sys.executable, "-c", _INTERRUPTED_RUN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.splitlines() == ["interrupted: what is done is kept, and the same command continues from here"]
    assert len(list((tmp_path / "archive" / "bags").rglob("*.safetensors"))) == 3
    assert json.loads(histoseek(*arguments).stdout)["added"] == 10


def test_bad_queries_are_one_line_each(archive: Path, cohort: Path, tmp_path: Path) -> None:
    search = ("search", "--archive", archive)
    (tmp_path / "text.svs").write_text("not a slide")
    Image.new("RGB", (300, 300), "pink").save(tmp_path / "field.png")
    good = next(cohort.glob("*.tiff"))
    (tmp_path / "cut.tiff").write_bytes(good.read_bytes()[:20_000])
    assert "no such file" in refused(*search, "--slide", tmp_path / "none.svs")
    assert "cannot be read as a slide" in refused(*search, "--slide", tmp_path / "text.svs")
    assert "cannot be read as a slide" in refused(*search, "--slide", tmp_path / "cut.tiff")
    assert "--spacing-of 'field.png=0.25'" in refused(*search, "--slide", tmp_path / "field.png")
    assert "coarser than the requested" in refused(*search, "--slide", tmp_path / "field.png", "--spacing", "2")
    assert "no slide with this id" in refused(*search, "--like", "nobody")
    assert "The columns are" in refused(*search, "--like", "SIM-0000-00", "--where", "organ = ")
    assert "no such distance" in refused(*search, "--like", "SIM-0000-00", "--distance", "euclid")
    assert "needs one of --slide, --like, --case, --image, --text, --report and --report-of" in refused(*search)
    assert "cannot be combined with another query" in refused(*search, "--like", "SIM-0000-00", "--report", good)
    assert "cannot combine slides, a case and a picture" in refused(
        *search, "--like", "SIM-0000-00", "--case", "SIM-0001"
    )
    assert "slides of different patients" in refused(*search, "--like", "SIM-0000-00", "--like", "SIM-0001-00")
    assert "no slide of this case" in refused(*search, "--case", "moon")
    assert "reaches beyond the slide of 768 x 768 px" in refused(
        *search, "--like", "SIM-0000-00", "--region", "700,700,90,90"
    )
    assert "is not a region" in refused(*search, "--like", "SIM-0000-00", "--region", "1,2,3")
    assert "needs exactly one slide" in refused(*search, "--text", "gland", "--region", "1,2,3,4")
    assert "does not state its scale" in refused(*search, "--image", tmp_path / "field.png")
    assert "not from 0 to 1" in refused(*search, "--like", "SIM-0000-00", "--text", "gland", "--weight", "2")
    assert "beside an image" in refused(*search, "--text", "gland", "--weight", "0.2")
    assert "does not say what you want to find" in refused(*search, "--without", "gland")
    assert "is too few" in refused(*search, "--like", "SIM-0000-00", "-k", "-1")
    assert "below 0" in refused(*search, "--like", "SIM-0000-00", "--offset", "-1")
    assert "is empty" in refused(*search, "--text", "  ")
    assert "--patient" in refused(*search, "--like", "SIM-0000-00", "--patient", "P")
    assert "--spacing" in refused(*search, "--text", "gland", "--spacing", "0.5")
    assert "too many" in refused(*search, "--like", "SIM-0000-00", "-k", 10**18)
    assert "not text in UTF-8" in refused(*search, "--report", good)
    assert "No such file" in refused(*search, "--report", tmp_path / "none.txt")
    assert "no histoseek archive here" in refused("search", "--archive", tmp_path / "none", "--like", "x")
    assert "spacing um per px" in refused("index", cohort, "--archive", archive, "--spacing", "1.0")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("search",), "--archive: this option is required. Give it, or set HISTOSEEK_ARCHIVE; see"),
        (("mask",), "FILE: this argument is required. Give it; see `histoseek mask --help`"),
        (("list", "--archive", "x", "--limit", "abc"), "--limit: 'abc' is not a whole number. Give one, such as 10"),
        (("list", "--archive", "x", "--limit", "0"), "--limit: '0' is too small. Give at least 1"),
        (("search", "--archive", "x", "--workers", "65"), "--workers: '65' is too large. Give at most 64"),
        (("search", "--archive", "x", "--spacing", "abc"), "--spacing: 'abc' is not a number. Give one, such as 0.5"),
        (
            ("search", "--archive", "x", "--to", "foo"),
            "--to: 'foo' is not a choice. Give slides, reports, regions, cases or phrases",
        ),
        (("search", "--archiv", "x"), "--archiv: no such option. Did you mean --archive? See `histoseek search"),
        (("search", "--archive"), "--archive: needs a value. See"),
        (("search", "--exact=1"), "--exact: takes no value. See"),
        (("evaluate", "--compare", "a"), "--compare: needs 2 values. See"),
        (("stats", "--archive", "x", "y"), "histoseek stats: unexpected argument: y. See `histoseek stats --help`"),
        (("serch",), "histoseek: no such command: serch. Did you mean search or serve? See `histoseek --help`"),
        (("zzz",), "histoseek: no such command: zzz. See `histoseek --help`"),
        (("tokens", "add", "--role", "all", "me"), "--role: 'all' is not a choice. Give read or write"),
    ],
)
def test_mistakes_in_the_command_line_are_one_line_each(arguments: tuple[str, ...], line: str) -> None:
    assert refused(*arguments).startswith(f"error: {line}")


def test_without_a_command_there_is_help() -> None:
    done = histoseek()
    assert (done.returncode, done.stderr) == (2, "")
    assert "Usage: histoseek [OPTIONS] COMMAND" in done.stdout


# What is imported late is imported before the rights are gone: an interpreter may lie where only its owner reads.
_AS_NOBODY = """
import os, sys
import histoseek.archive.indexing.report_cleaner
from histoseek.api import Archive
from histoseek.errors import ArchiveReadOnly
path = sys.argv[1]
known = Archive.open(path).search(like="SIM-0000-00")
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
archive = Archive.open(path)
assert [r.slide_id for r in archive.search(like="SIM-0000-00")] == [r.slide_id for r in known]
for write in (lambda: archive.update("SIM-0000-00", {"organ": "x"}), lambda: archive.remove(["SIM-0000-00"])):
    try:
        write()
    except ArchiveReadOnly as error:
        print(error)
"""


def test_a_read_only_archive_is_searched_but_not_written(indexed: Path) -> None:
    # The folder lies open to others, so that a process that gave up its rights can read it.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        archive = Path(shutil.copytree(indexed, Path(folder) / "archive"))
        places = (archive, *archive.rglob("*"))
        for path in places:
            path.chmod(0o555 if path.is_dir() else 0o444)
        command = [sys.executable, "-c", _AS_NOBODY, archive]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        for path in places:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the archive cannot be written") == 2


def test_encoders_mask_and_simulate(cohort: Path, tmp_path: Path) -> None:
    listed = histoseek("encoders").stdout
    assert "lite0: 1280-d" in listed
    assert "minilm: 384-d" in listed
    slide = next(cohort.glob("*.tiff"))
    done = histoseek("mask", slide, "--out", tmp_path / "mask.png")
    assert "% tissue" in done.stdout
    assert Image.open(tmp_path / "mask.png").size == (256, 256)
    done = histoseek("simulate", tmp_path / "sim", "--patients", 1, "--slides-per-patient", 1, "--size", 600)
    assert done.returncode == 0
    assert {path.name for path in (tmp_path / "sim").iterdir()} == {
        "SIM-0000-00.tiff",
        "metadata.csv",
        "reports.csv",
    }


def test_mask_writes_its_picture_of_every_slide(tmp_path: Path) -> None:
    ink = np.full((300, 400, 3), 243, np.uint8)
    ink[100:140, 20:380] = (30, 60, 170)
    Image.fromarray(ink).save(tmp_path / "ink.png")
    slide = tmp_path / "ink.png", "--spacing", 8
    done = histoseek("mask", *slide, "--out", tmp_path / "mask.png")
    assert done.returncode == 2
    assert "left out as pen marks" in done.stderr
    assert "--keep-pen" in done.stderr
    assert Image.open(tmp_path / "mask.png").size == (400, 300)
    kept = histoseek("mask", *slide, "--keep-pen", "--out", tmp_path / "kept.png")
    assert kept.returncode == 0
    assert Image.open(tmp_path / "kept.png").tobytes() != Image.open(tmp_path / "mask.png").tobytes()


def test_mask_says_what_to_do(tmp_path: Path) -> None:
    pixels = np.full((300, 400, 3), 243, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "glass.png")
    glass = tmp_path / "glass.png"
    assert "Give it with --spacing 0.25" in histoseek("mask", glass).stderr
    assert (
        "its folder does not exist" in histoseek("mask", glass, "--spacing", 8, "--out", tmp_path / "no/x.png").stderr
    )
    for number in ("nan", "-3"):
        done = histoseek("mask", glass, "--spacing", 8, "--tissue-threshold", number, "--out", tmp_path / "mask.png")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "is no optical density" in done.stderr
    Image.fromarray(np.full((300, 400, 3), 12, np.uint8)).save(tmp_path / "dark.png")
    done = histoseek("mask", tmp_path / "dark.png", "--spacing", 8, "--out", tmp_path / "mask.png")
    assert "% tissue" not in done.stdout
    assert "--tissue-threshold" not in done.stderr


def test_brackets_in_reports_are_shown_as_they_are(archive: Path) -> None:
    report = "Margins: [x] negative [/b] at 10:heart:"
    for change in (f"report={report}", "diagnosis=[link=x]y[/link]"):
        assert histoseek("update", "SIM-0000-00", change, "--archive", archive).returncode == 0
    done = histoseek("search", "--archive", archive, "--text", "margins negative", "--to", "reports", "-k", 1)
    shown = " ".join(done.stdout.split())
    assert "[x] negative [/b]" in shown
    assert ":heart:" in shown
    assert "[link=x]y[/link]" in histoseek("list", "--archive", archive).stdout


def test_exported_features_make_the_same_archive(archive: Path, tmp_path: Path) -> None:
    done = histoseek("export", tmp_path / "features", "--archive", archive, "--where", "organ <> 'lung'")
    assert done.stdout.startswith("8 feature files")
    again = tmp_path / "again"
    done = histoseek("index", "--features", tmp_path / "features", "--archive", again, "--json")
    assert json.loads(done.stdout)["added"] == 8
    found = json.loads(histoseek("search", "--archive", again, "--like", "SIM-0000-00", "-k", 1, "--json").stdout)
    assert found["results"][0]["matches"][0]["query_region"]["width"] == 224


def test_logs_of_a_debug_run_hold_no_patient_and_no_report(cohort: Path, tmp_path: Path) -> None:
    from histoseek.api import Archive

    archive = Archive.create(tmp_path / "archive")
    archive.index([cohort / "SIM-0000-00.tiff"], cohort / "metadata.csv", cohort / "reports.csv")
    journal = archive.layout.journal.read_text()
    assert "SIM-0000-00" in journal
    assert "SIM-0-0000" not in journal, "the patient id"
    assert "biopsy" not in journal
    assert str(cohort) not in journal


def test_import_and_help_load_nothing_heavy() -> None:
    code = (
        "import sys, histoseek, histoseek.cli.app\n"
        "heavy = {'torch', 'lancedb', 'numba', 'cv2', 'openslide', 'pyvips', 'onnxruntime', 'numpy', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
