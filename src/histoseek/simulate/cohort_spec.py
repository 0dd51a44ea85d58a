"""Simulated cohorts: patients with a diagnosis, slides, a site, and reports, in the tables histoseek reads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from histoseek.geometry import Size
from histoseek.progress import Reporter, SilentReporter
from histoseek.simulate.diagnoses import DIAGNOSES, get_diagnosis, write_report
from histoseek.simulate.slide import SlideSpec, write_slide


@dataclass(frozen=True, slots=True)
class CohortSpec:
    """A cohort; size_px is the edge of its square slides, site_effect how much sites differ (0: not at all)."""

    patients: int
    slides_per_patient: int
    sites: int
    size_px: int
    spacing_um_per_px: float = 0.5
    seed: int = 0
    site_effect: float = 1.0
    diagnoses: tuple[str, ...] = tuple(DIAGNOSES)


@dataclass(frozen=True, slots=True)
class SimulatedSlide:
    """One slide of a cohort with its file, its report and its patient's age."""

    spec: SlideSpec
    path: Path
    report: str
    age: int


def plan_slides(spec: CohortSpec, folder: Path) -> tuple[SimulatedSlide, ...]:
    """The slides of a cohort, not yet written; raises ConfigurationError for an unknown diagnosis."""
    slides = []
    for patient in range(spec.patients):
        name = get_diagnosis(spec.diagnoses[patient % len(spec.diagnoses)]).name
        age = int(np.random.default_rng([spec.seed, patient]).integers(25, 90))
        for number in range(spec.slides_per_patient):
            seed = spec.seed * 1_000_003 + patient * 101 + number
            slide = SlideSpec(
                slide_id=f"SIM-{patient:04d}-{number:02d}",
                size=Size(spec.size_px, spec.size_px),
                spacing_um_per_px=spec.spacing_um_per_px,
                diagnosis=name,
                site=f"site-{patient // len(spec.diagnoses) % spec.sites}",
                patient=f"SIM-{spec.seed}-{patient:04d}",
                seed=seed,
                site_effect=spec.site_effect,
            )
            slides.append(SimulatedSlide(slide, folder / f"{slide.slide_id}.tiff", write_report(name, seed), age))
    return tuple(slides)


def write_cohort(spec: CohortSpec, folder: Path, reporter: Reporter | None = None) -> tuple[SimulatedSlide, ...]:
    """Write the slides with metadata.csv and reports.csv; slides that are there already are kept."""
    reporter = reporter or SilentReporter()
    folder.mkdir(parents=True, exist_ok=True)
    slides = plan_slides(spec, folder)
    for slide in slides:
        if not slide.path.exists():
            write_slide(slide.spec, slide.path)
        reporter.advance()
    _write_tables(slides, folder)
    return slides


def _write_tables(slides: Sequence[SimulatedSlide], folder: Path) -> None:
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["slide_id", "case_id", "patient_id", "site", "stain", "organ", "diagnosis", "age"])
        for slide in slides:
            made = slide.spec
            organ = get_diagnosis(made.diagnosis).organ
            rows.writerow(
                [made.slide_id, made.slide_id[:8], made.patient, made.site, "H&E", organ, made.diagnosis, slide.age]
            )
    with (folder / "reports.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["slide_id", "report"])
        rows.writerows([slide.spec.slide_id, slide.report] for slide in slides)
