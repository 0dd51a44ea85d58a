"""The benchmarks of record: every system on every real task, in one table with intervals.

Builds the archives from real tiles and reports, evaluates them, and writes the tables as Markdown. Deterministic; one
command, under half an hour on two cores:
    python benchmarks/real/run.py DATA --out FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from rich.progress import track

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.evaluation.cohort import load_cohort, make_codes
from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.neighbours import Fold, rank
from histoseek.evaluation.outcome import Evaluation, save_evaluation
from histoseek.evaluation.scores import MetricEstimate, score
from histoseek.evaluation.settings import EvaluationSpec, ProtocolSpec
from histoseek.evaluation.systems.registry import list_systems, make_systems

SHOWN = ("top-1", "mMV@3", "mMV@5", "MAP@5", "macro-F1")
RENAME = {"patient_or_group": "patient_id", "source_dataset": "site"}
SPACINGS = {
    "*/lc25000_lung/*": 0.5,
    "*/uni_nsclc_demo/*": 0.5,
    "*/cryonuseg/*": 0.25,
    "*/monuseg/*": 0.25,
    "*/glas/*": 0.62,
}
REPORT_SYSTEMS = ("mean-pooled-raw", "mean-pooled", "majority", "random")


@dataclass(frozen=True)
class Task:
    """A question to the archive of some data sets; protocol sets are written by `sets`, if it is given."""

    name: str
    folders: tuple[str, ...]
    spacing_um_per_px: float
    label: str
    where: str | None = None
    query_site: str | None = None
    note: str = ""


TASKS = (
    Task("Lung, three classes (LC25000)", ("lc25000_lung",), 0.5, "diagnosis", note="a slide is one tile of one group"),
    Task("NSCLC, two classes (TCGA tiles)", ("uni_nsclc_demo",), 0.5, "class_label", note="13 groups of ten tiles"),
    Task("Colon, grade (GlaS)", ("glas",), 0.62, "class_label"),
    Task("Organ (MoNuSeg and CryoNuSeg)", ("monuseg", "cryonuseg"), 0.25, "organ"),
    Task(
        "Lung across data sets: LC25000 is asked by TCGA tiles",
        ("lc25000_lung", "uni_nsclc_demo"),
        0.5,
        "diagnosis",
        query_site="UNI",
        note="queries and database share no data set",
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    sections = [section(task, given.data, given.out) for task in TASKS]
    sections += [reg_reports(given.data, given.out), gastric_reports(given.data, given.out), budget(given.out)]
    text = "\n".join([*sections, f"Whole run: {(time.monotonic() - started) / 60:.1f} minutes.\n"])
    (given.out / "RESULTS.md").write_text(text)
    print(text)


def section(task: Task, data: Path, out: Path) -> str:
    archive = image_archive(task, data, out)
    found = evaluate(archive, image_spec(task, archive, out))
    save_evaluation(found, out / f"{slug(task.name)}.json")
    return as_markdown(task.name, found, task.note)


def image_archive(task: Task, data: Path, out: Path) -> Archive:
    path = out / f"{slug(task.name)}.archive"
    if path.exists():
        return Archive.open(path)
    recipe = Recipe(spacing_um_per_px=task.spacing_um_per_px, spacing_tolerance=0.25, tile_budget=None)
    archive = Archive.create(path, recipe, text_encoder="none")
    folders = [data / "tiles" / folder for folder in task.folders]
    report = archive.index(folders, data / "manifest.csv", rename=RENAME, spacing_of=SPACINGS)
    print(f"{task.name}: {report.added} slides, {len(report.refused)} refused, {report.seconds:.0f} s", flush=True)
    return archive


def image_spec(task: Task, archive: Archive, out: Path) -> EvaluationSpec:
    protocol = ProtocolSpec()
    if task.query_site is not None:
        table = out / "sets.csv"
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["slide_id", "role"])
            for record in archive.records():
                writer.writerow([record.slide_id, "query" if task.query_site in str(record.site) else "database"])
        protocol = ProtocolSpec("fixed", sets=table)
    systems = ("symmetric", *(name for name in list_systems() if name != "symmetric"))
    return EvaluationSpec(label=task.label, systems=systems, protocol=protocol, where=task.where)


def reg_reports(data: Path, out: Path) -> str:
    """REG 2025: which other report has the same diagnosis, by organ and first diagnosis line."""
    entries = json.loads((data / "reports" / "reg2025_reports.json").read_text())
    texts, labels, cases = [], [], []
    for entry in entries:
        organ, _, rest = entry["report"].partition(",")
        first = re.sub(r"^\d+\.\s*", "", rest.partition(";")[2].strip().split("\n")[0].strip())
        diagnosis = re.split(r",| \(", first)[0].strip().lower()
        if diagnosis:
            texts.append(" ".join(entry["report"].split()))
            labels.append(f"{organ.strip().lower()}: {diagnosis}")
            cases.append(entry["id"].rsplit("_", 1)[0])
    return text_section("REG 2025 reports by organ and diagnosis", texts, labels, cases, out)


def gastric_reports(data: Path, out: Path) -> str:
    with (data / "reports" / "patchgastric_captions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    texts, labels = [row["text"] for row in rows], [row["subtype"] for row in rows]
    return text_section("PatchGastric captions by subtype", texts, labels, [row["id"] for row in rows], out)


def text_section(name: str, texts: Sequence[str], labels: Sequence[str], cases: Sequence[str], out: Path) -> str:
    """Distinct texts only: an equal text at another case would be found by copying, not by meaning."""
    kept = sorted({text: i for i, text in reversed(list(enumerate(texts)))}.values())
    archive = text_archive(name, [texts[i] for i in kept], [labels[i] for i in kept], [cases[i] for i in kept], out)
    cohort = load_cohort(archive, "diagnosis")
    everyone = np.arange(len(cohort), dtype=np.int64)
    fold = Fold(everyone, everyone, (cohort.patients, make_codes([r.file_fingerprint for r in cohort.records])))
    rows = []
    for system in make_systems(REPORT_SYSTEMS, cohort, 0):
        scores = score(rank(system, fold, cohort.labels, 10), cohort.labels, cohort.classes, cohort.patients)
        shown = {"mean-pooled-raw": "MiniLM, cosine", "mean-pooled": "MiniLM, centred cosine"}.get(
            system.name, system.name
        )
        rows.append(f"| {shown} | {' | '.join(cell(metric(scores.metrics, name)) for name in SHOWN)} |")
    chance = " | ".join(f"{metric(scores.metrics, name).chance:.3f}" for name in SHOWN)
    facts = f"{len(cohort)} distinct texts of {len(texts)}, {len(cohort.classes)} labels"
    left = f"{scores.without_answer} texts whose label no other case has are left out"
    head = f"## {name}\n\n{facts}; {left}.\n"
    return "\n".join([head, *header(), *rows, f"| chance | {chance} |", ""])


def text_archive(name: str, texts: Sequence[str], labels: Sequence[str], cases: Sequence[str], out: Path) -> Archive:
    """Texts as slides of one tile, whose feature is the text's vector: the same harness for both."""
    path, folder = out / f"{slug(name)}.archive", out / f"{slug(name)}-features"
    if path.exists():
        return Archive.open(path)
    folder.mkdir(exist_ok=True)
    encoder = load_text_encoder("minilm")
    with (out / f"{slug(name)}.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["slide_id", "patient_id", "diagnosis"])
        for start in track(range(0, len(texts), 64), name):
            for i, vector in enumerate(encoder.encode(texts[start : start + 64]), start=start):
                with h5py.File(folder / f"text-{i:05d}.h5", "w") as file:
                    file["features"] = vector[None]
                writer.writerow([f"text-{i:05d}", cases[i], labels[i]])
    archive = Archive.create(path, Recipe(encoder="features:minilm"), text_encoder="none")
    archive.index([folder], out / f"{slug(name)}.csv")
    return archive


def budget(out: Path) -> str:
    """What 64 and 16 representative tiles lose against all of them, on simulated slides of 4,096 px."""
    from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

    folder = out / "simulated"
    if not folder.exists():
        write_cohort(CohortSpec(patients=40, slides_per_patient=1, sites=2, size_px=4096, site_effect=0.5), folder)
    rows = []
    for tiles in (None, 64, 16):
        path = out / f"simulated-{tiles or 'all'}.archive"
        if not path.exists():
            archive = Archive.create(path, Recipe(tile_budget=tiles), text_encoder="none")
            archive.index([folder], folder / "metadata.csv")
        archive = Archive.open(path)
        mean = np.mean([record.tile_count for record in archive.records()])
        scores = evaluate(archive, EvaluationSpec(systems=("symmetric",))).results[0].scores
        cells = " | ".join(cell(metric(scores.metrics, name)) for name in SHOWN)
        rows.append(f"| {tiles or 'all'} ({mean:.0f} a slide) | {cells} |")
    return "\n".join(["## A budget of tiles (simulated slides, symmetric distance)\n", *header("tiles"), *rows, ""])


def as_markdown(name: str, found: Evaluation, note: str) -> str:
    subject = found.subject
    facts = f"{subject.slides} slides of {subject.patients} patients or groups, {len(subject.classes)} labels"
    lines = [f"## {name}", "", f"{facts}; {subject.protocol}{'; ' + note if note else ''}.", "", *header()]
    significant = dict(found.comparisons)
    for result in found.results:
        cells = [cell(metric(result.scores.metrics, column)) for column in SHOWN]
        for place, column in enumerate(SHOWN):
            one = next((c for c in significant.get(result.name, ()) if c.metric == column), None)
            if one is not None and one.p_holm < 0.05:
                cells[place] += " *"
        lines.append(f"| {result.name} | {' | '.join(cells)} |")
    chance = " | ".join(f"{metric(found.results[0].scores.metrics, column).chance:.3f}" for column in SHOWN)
    lines += [f"| chance | {chance} |", ""]
    lines += [f"- {check.sentence}" for check in found.site_checks]
    lines += [f"- {warning}" for warning in found.warnings]
    lines += [f"- leak: {leak.what}" for leak in found.leaks[:5]]
    return "\n".join([*lines, ""])


def header(first: str = "system") -> list[str]:
    return [f"| {first} | {' | '.join(SHOWN)} |", "| --- " * (len(SHOWN) + 1) + "|"]


def metric(metrics: Sequence[MetricEstimate], name: str) -> MetricEstimate:
    return next(one for one in metrics if one.name == name)


def cell(one: MetricEstimate) -> str:
    if np.isnan(one.value):
        return "too few patients"
    return f"{one.value:.3f} ({'too few patients' if np.isnan(one.low) else f'{one.low:.2f} to {one.high:.2f}'})"


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


if __name__ == "__main__":
    main()
