"""The demo: a small archive, a few searches, a page to look at. Simulated slides, or your own with --slides.

Afterwards `histoseek serve demo-out/simulated.archive` shows the archive in a browser.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from histoseek import Archive, HistoseekError, SearchResults
from histoseek.progress import show_progress
from histoseek.search.present.page import render_page
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort
from histoseek.slides.sources.registry import source_name

PATIENTS = 18
SLIDES_PER_PATIENT = 2
SIZE_PX = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-out"))
    parser.add_argument("--slides", type=Path, help="a folder of your own slides, instead of simulated ones")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    archive = index_own_slides(arguments) if arguments.slides else simulate_archive(arguments.out)
    records = archive.records()
    for record in records[:: max(1, len(records) // 3)][:3]:
        print_results(archive.search(like=record.slide_id, k=3))
    if any(record.report for record in records):
        print_results(archive.search(text="papillary carcinoma", k=3))
    page = arguments.out / "results.html"
    page.write_text(render_page(archive.search(like=records[0].slide_id), "histoseek demo"), encoding="utf-8")
    print(f"\nResult page, open it in a browser: {page.resolve()}")
    print(f"All of it, to search and look around:  {Path(sys.executable).parent}/histoseek serve {archive.path}")


def simulate_archive(out: Path) -> Archive:
    print("The slides of this demo are SIMULATED: drawn by a program, no real tissue, no patients.")
    spec = CohortSpec(patients=PATIENTS, slides_per_patient=SLIDES_PER_PATIENT, sites=2, size_px=SIZE_PX)
    folder = out / "simulated-slides"
    with show_progress("drawing slides", total=PATIENTS * SLIDES_PER_PATIENT) as reporter:
        write_cohort(spec, folder, reporter)
    archive = index_folder(out / "simulated.archive", folder, folder / "metadata.csv", folder / "reports.csv")
    try:
        archive.calibrate()
    except HistoseekError as error:
        print(f"no probabilities: {error}")
    return archive


def index_own_slides(arguments: argparse.Namespace) -> Archive:
    return index_folder(arguments.out / "own.archive", arguments.slides, None, None)


def index_folder(path: Path, slides: Path, metadata: Path | None, reports: Path | None) -> Archive:
    archive = Archive.open(path) if (path / "archive.json").exists() else Archive.create(path)
    with show_progress("indexing", total=None) as reporter:
        report = archive.index([slides], metadata, reports, reporter=reporter)
    for refusal in report.refused:
        print(f"refused: {refusal.reason}")
    print(f"{report.added} slides added, {report.unchanged} unchanged, in {report.seconds:.1f} s")
    if not len(archive):
        raise SystemExit("no slide could be indexed")
    return archive


def print_results(results: SearchResults) -> None:
    print(f"\nMost like {results.query.slide_id or repr(results.query.text)}:")
    for result in results:
        record = result.record
        caption = record.diagnosis or source_name(record.uri)
        print(f"  {result.rank}. {result.slide_id}  score {result.score:.3f}  {caption}  (patient {record.patient_id})")


if __name__ == "__main__":
    try:
        main()
    except HistoseekError as error:
        raise SystemExit(f"error: {error}") from None
