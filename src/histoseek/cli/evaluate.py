"""`histoseek evaluate`: how well an archive retrieves, measured so that it cannot flatter itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.align import UNDEFINED, format_interval, format_number, print_recalls, print_side_by_side
from histoseek.cli.options import LabelOption, WhereOption, read_defaults, read_settings
from histoseek.errors import ConfigurationError
from histoseek.evaluation.settings import DEFAULT_SYSTEMS, EvaluationSpec, ProtocolName, ProtocolSpec
from histoseek.terminal import TableColumn, format_table, get_terminal_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoseek.evaluation.outcome import Evaluation
    from histoseek.evaluation.scores import MetricEstimate
    from histoseek.evaluation.significance import SystemComparison

DEFAULTS = read_defaults(EvaluationSpec)
PROTOCOL = ProtocolSpec()
_METRICS = ("top-1", "mMV@3", "mMV@5", "recall@5", "MAP@5", "macro-F1")

ArchiveOption = Annotated[
    str | None,
    typer.Option("--archive", envvar="HISTOSEEK_ARCHIVE", help="Folder of the archive, or its address on a server."),
]
SystemsOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...|all",
        help="Systems to evaluate; the others are compared with the first.",
        show_default=", ".join(DEFAULT_SYSTEMS),
    ),
]
ProtocolOption = Annotated[ProtocolName, typer.Option(help="Which slides are queries, and what they may retrieve.")]
SiteColumnOption = Annotated[
    str, typer.Option(metavar="COLUMN", help="Metadata column of sites, scanners or data sets.")
]
FoldsOption = Annotated[int, typer.Option(help="Number of folds for --protocol k-fold.")]
SetsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV with slide_id and role (query or database) for --protocol fixed."),
]
PatientIsSlideOption = Annotated[
    bool, typer.Option("--patient-is-slide", help="State that each slide is of another patient.")
]
HeldOutOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Weights, or the split.csv of a training: its training patients are not queries.",
        show_default="the weights of the archive",
    ),
]
AllPatientsOption = Annotated[
    bool, typer.Option("--all-patients", help="Use patients as queries even if the weights were trained on them.")
]
ColourOption = Annotated[
    list[str] | None,
    typer.Option("--colour", metavar="COLUMN", help="Metadata column to colour the map of the archive by. Repeatable."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same figures.")]
OutOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Folder for evaluation.html and evaluation.json.")
]
CompareOption = Annotated[
    tuple[Path, Path] | None,
    typer.Option(metavar="FILE FILE", help="Compare the first systems of two evaluation.json files instead."),
]


def evaluate(
    context: typer.Context,
    archive: ArchiveOption = None,
    label: LabelOption = DEFAULTS.label,
    systems: SystemsOption = None,
    protocol: ProtocolOption = PROTOCOL.name,
    site_column: SiteColumnOption = PROTOCOL.site_column,
    folds: FoldsOption = PROTOCOL.folds,
    sets: SetsOption = None,
    where: WhereOption = None,
    patient_is_slide: PatientIsSlideOption = DEFAULTS.patient_is_slide,
    held_out: HeldOutOption = None,
    all_patients: AllPatientsOption = DEFAULTS.all_patients,
    colour: ColourOption = None,
    seed: SeedOption = DEFAULTS.seed,
    out: OutOption = None,
    compare: CompareOption = None,
) -> None:
    """Measure how well an archive retrieves slides of the same label from other patients.

    Figures have 95 % intervals over patients and stand beside chance, baselines and a check for effects of the site.
    """
    if compare is not None:
        _compare(*compare, seed)
        return
    if archive is None:
        raise ConfigurationError("evaluate", "needs --archive or --compare", "Give the folder of an archive")
    spec = read_settings(
        context,
        EvaluationSpec,
        systems=tuple(name.strip() for name in systems.split(",") if name.strip()) if systems else DEFAULT_SYSTEMS,
        protocol=read_settings(context, ProtocolSpec, name=protocol),
        site_columns=(site_column,),
        map_columns=tuple(colour or ()),
    )
    _run(archive, spec, out)


def _run(path: str, spec: EvaluationSpec, out: Path | None) -> None:
    from histoseek.api import Archive
    from histoseek.evaluation.evaluate import evaluate
    from histoseek.progress import show_progress

    archive = Archive.open(path)
    with show_progress("queries", total=None) as reporter:
        evaluation = evaluate(archive, spec, reporter)
    if out is not None:
        from histoseek.evaluation.report.evaluation_page import write_evaluation

        write_evaluation(evaluation, archive, out)
    _print_evaluation(evaluation)
    if out is not None:
        print(f"page: {out / 'evaluation.html'}; figures: {out / 'evaluation.json'}")


def _print_evaluation(evaluation: Evaluation) -> None:
    subject = evaluation.subject
    print(
        f"{subject.slides} slides of {subject.patients} patients, {len(subject.classes)} labels ({subject.label}), "
        f"{subject.protocol}{f', where {subject.where}' if subject.where else ''}; 95 % intervals over patients"
    )
    for leak in evaluation.leaks:
        print(f"leak: {leak.what}")
    for warning in evaluation.warnings:
        print(f"note: {warning}")
    rows = [
        (result.name, *(_format(_select(result.scores.metrics, name)) for name in _METRICS))
        for result in evaluation.results
    ]
    chance = evaluation.results[0].scores.metrics
    rows.append(("chance", *(format_number(_select(chance, name).chance, ".3f") for name in _METRICS)))
    columns = [TableColumn(name, "text") for name in ("system", *_METRICS)]
    print(format_table(columns, rows, get_terminal_width()))
    for check in evaluation.site_checks:
        print(check.sentence)
    if evaluation.cross_modal_encoders:
        print_side_by_side({"both": evaluation.cross_modal, **evaluation.cross_modal_encoders})
    elif evaluation.cross_modal:
        print_recalls(evaluation.cross_modal)


def _select(metrics: Sequence[MetricEstimate], name: str) -> MetricEstimate:
    return next(metric for metric in metrics if metric.name == name)


def _format(metric: MetricEstimate) -> str:
    from histoseek.statistics.intervals import TOO_FEW_PATIENTS

    if math.isnan(metric.value):
        return UNDEFINED
    interval = f"{metric.low:.2f} to {metric.high:.2f}" if math.isfinite(metric.low) else TOO_FEW_PATIENTS
    return f"{metric.value:.3f} ({interval})"


def _compare(first: Path, second: Path, seed: int) -> None:
    from histoseek.evaluation.outcome import compare_saved

    names, comparisons = compare_saved(first, second, seed)
    print(f"{names[0]} minus {names[1]}, paired by query, patients permuted:")
    _print_comparisons(comparisons)


def _print_comparisons(comparisons: Sequence[SystemComparison]) -> None:
    columns = [TableColumn(name) for name in ("metric", "difference", "95 %", "p", "p (Holm)")]
    rows = []
    for comparison in comparisons:
        figures = (
            format_number(comparison.difference, "+.3f"),
            format_interval(comparison.low, comparison.high, "+.3f"),
            format_number(comparison.p, ".4f"),
            format_number(comparison.p_holm, ".4f"),
        )
        rows.append((comparison.metric, *figures))
    print(format_table(columns, rows, get_terminal_width()))
