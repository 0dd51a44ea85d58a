"""`histoseek simulate`: write synthetic slides, for a first try and for experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to write slides, metadata.csv and reports.csv to.")
    ],
    patients: Annotated[int, typer.Option(min=1, help="Number of patients.")] = 12,
    slides_per_patient: Annotated[int, typer.Option(min=1, help="Number of slides per patient.")] = 2,
    sites: Annotated[int, typer.Option(min=1, help="Number of hospitals, each with its own stain and blur.")] = 2,
    size: Annotated[int, typer.Option(min=512, help="Width and height of a slide in px.")] = 3000,
    spacing: Annotated[float, typer.Option(help="Spacing of the slides in µm/px.")] = 0.5,
    site_effect: Annotated[float, typer.Option(min=0.0, help="How much the sites differ; 0 for not at all.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same slides.")] = 0,
) -> None:
    """Write simulated H&E slides with matching reports: no real tissue, no patients."""
    from histoseek.progress import show_progress
    from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

    spec = CohortSpec(patients, slides_per_patient, sites, size, spacing, seed, site_effect)
    with show_progress("simulated slides", total=patients * slides_per_patient) as reporter:
        slides = write_cohort(spec, folder, reporter)
    print(f"{len(slides)} simulated slides with metadata.csv and reports.csv in {folder}")
